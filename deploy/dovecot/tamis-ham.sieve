# Compile once, as root: sievec /etc/dovecot/sieve/tamis-ham.sieve
require ["vnd.dovecot.pipe", "copy", "imapsieve", "environment", "variables"];

# A message left Junk. Into the bin: that says nothing about it.
if environment :is "imap.mailbox" ["Trash", "INBOX.Trash", "Deleted Messages", "Deleted Items", "Bin"] {
    stop;
}
if environment :matches "imap.user" "*" {
    set "user" "${1}";
}
pipe :copy "tamis-report" ["ham", "${user}"];
