# Compile once, as root: sievec /etc/dovecot/sieve/tamis-spam.sieve
require ["vnd.dovecot.pipe", "copy", "imapsieve", "environment", "variables"];

# A message came into Junk by the user's hand.
if environment :matches "imap.user" "*" {
    set "user" "${1}";
}
pipe :copy "tamis-report" ["spam", "${user}"];
