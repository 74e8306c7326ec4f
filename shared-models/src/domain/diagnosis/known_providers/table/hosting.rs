//! Companies that host the mail of their customers' domains, or only send it.

use super::{KnownProvider, Operator, UNCONFIRMED, publish};

pub(super) static ROWS: &[KnownProvider] = &[
    KnownProvider {
        operator: Operator::SendGrid,
        name: "SendGrid",
        customer_hosts: &["smtp.sendgrid.net"],
        spf_includes: &["sendgrid.net"],
        dkim_selectors: &["s1", "s2"],
        ..UNCONFIRMED
    },
    KnownProvider {
        operator: Operator::Namecheap,
        name: "Namecheap Private Email",
        customer_hosts: &["mail.privateemail.com"],
        mx_domains: &["privateemail.com"],
        mx_to_publish: publish(10, "mx1.privateemail.com"),
        spf_includes: &["spf.privateemail.com"],
        dkim_selectors: &["default"],
        ..UNCONFIRMED
    },
    KnownProvider {
        operator: Operator::Hostinger,
        name: "Hostinger",
        customer_hosts: &["smtp.hostinger.com", "imap.hostinger.com"],
        mx_domains: &["hostinger.com"],
        mx_to_publish: publish(5, "mx1.hostinger.com"),
        spf_includes: &["_spf.mail.hostinger.com"],
        dkim_selectors: &["hostingermail-a", "hostingermail-b", "hostingermail-c"],
        ..UNCONFIRMED
    },
    KnownProvider {
        operator: Operator::Titan,
        name: "Titan",
        customer_hosts: &["smtp.titan.email", "imap.titan.email"],
        mx_domains: &["titan.email"],
        mx_to_publish: publish(10, "mx1.titan.email"),
        spf_includes: &["spf.titan.email"],
        dkim_selectors: &["titan1"],
        ..UNCONFIRMED
    },
    KnownProvider {
        operator: Operator::GoDaddy,
        name: "GoDaddy",
        customer_hosts: &["smtpout.secureserver.net", "imap.secureserver.net"],
        mx_domains: &["secureserver.net"],
        mx_to_publish: publish(0, "smtp.secureserver.net"),
        spf_includes: &["secureserver.net"],
        ..UNCONFIRMED
    },
    KnownProvider {
        operator: Operator::Ovh,
        name: "OVH",
        customer_hosts: &["ssl0.ovh.net"],
        mx_domains: &["ovh.net"],
        spf_includes: &["mx.ovh.com"],
        ..UNCONFIRMED
    },
    KnownProvider {
        operator: Operator::Rackspace,
        name: "Rackspace",
        customer_hosts: &["secure.emailsrvr.com"],
        mx_domains: &["emailsrvr.com"],
        ..UNCONFIRMED
    },
];
