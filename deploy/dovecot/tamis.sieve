# Compile once, as root: sievec /etc/dovecot/sieve/tamis.sieve
require ["fileinto", "mailbox"];

# Tamis takes this field out of mail from outside, so only its own is seen here.
if header :is "X-Spam-Flag" "YES" {
    fileinto :create "Junk";
    stop;
}
