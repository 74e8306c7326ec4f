//! A real mail server and a real name server to try Mailmoor on, with nothing but loopback:
//! `cargo run -p mail-lab --example playground`. Ends, and leaves nothing behind, with Ctrl-C.

use mail_lab::{Dovecot, DovecotOptions, Knot, LabError, TestCa};

const ZONE: &str = r#"
@               MX   10 mx
mx              A    203.0.113.9
@               TXT  "v=spf1 mx -all"
mail            A    127.0.0.1
_dmarc          TXT  "v=DMARC1; p=quarantine; rua=mailto:dmarc@example.test"
s1._domainkey   TXT  "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
"#;

fn main() -> Result<(), LabError> {
    let dovecot = Dovecot::start(DovecotOptions::users(&[("dana@example.test", "correct horse battery staple")]))?;
    let knot = Knot::start(&[("example.test", ZONE)])?;
    let ports = dovecot.ports();
    println!("Start Mailmoor with these settings, in another terminal:\n");
    println!("export MAILMOOR__DNS__SERVERS={}", knot.addr());
    println!("export MAILMOOR__EGRESS__ALLOWED_NETWORKS=127.0.0.0/8");
    println!("export MAILMOOR__EGRESS__EXTRA_CA_FILE={}", TestCa::shared().path().display());
    println!("\nThe mailbox dana@example.test has the password: correct horse battery staple");
    println!("SMTP  mail.example.test  {} (STARTTLS) or {} (TLS)", ports.submission, ports.submissions);
    println!("IMAP  mail.example.test  {} (STARTTLS) or {} (TLS)", ports.imap, ports.imaps);
    println!("\nCtrl-C ends the playground.");
    loop {
        std::thread::park();
    }
}
