use super::*;
use crate::domain::diagnosis::Leg;

fn name(row: Option<&'static KnownProvider>) -> Option<&'static str> {
    row.map(|row| row.name)
}

#[test]
fn every_row_is_named_and_found() {
    for row in KnownProvider::all() {
        assert!(!row.name.is_empty(), "{row:?}");
        assert!(!row.login_hosts.is_empty() || !row.customer_hosts.is_empty(), "{}", row.name);
        for host in row.login_hosts {
            assert_eq!(KnownProvider::of_login_host(host), Some(row), "{host}");
        }
        for host in row.customer_hosts {
            assert_eq!(KnownProvider::of_customer_host(host), Some(row), "{host}");
        }
        for domain in row.mx_domains {
            assert_eq!(KnownProvider::of_mx_target(&format!("mx.{domain}")), Some(row), "{domain}");
        }
        for include in row.spf_includes {
            assert_eq!(KnownProvider::of_spf_include(include), Some(row), "{include}");
        }
    }
}

#[test]
fn a_login_host_has_an_operator() {
    for (host, operator) in [
        ("smtp.gmail.com", Some(Operator::Google)),
        ("outlook.office365.com", Some(Operator::Microsoft)),
        ("smtp-mail.outlook.com", Some(Operator::Microsoft)),
        ("imap.mail.yahoo.com", Some(Operator::Yahoo)),
        ("imap.web.de", Some(Operator::Gmx)),
        ("imappro.zoho.eu", Some(Operator::Zoho)),
        ("imap.notgmail.com", None),
        ("mail.example.com", None),
        ("127.0.0.1", None),
    ] {
        assert_eq!(KnownProvider::of_login_host(host).map(|row| row.operator), operator, "{host}");
    }
}

#[test]
fn exchangers_are_no_login_servers() {
    for host in [
        "aspmx.l.google.com",
        "alt1.aspmx.l.google.com",
        "company-com.mail.protection.outlook.com",
        "in1-smtp.messagingengine.com",
        "mx.zoho.eu",
        "mx00.gmx.net",
        "mx01.mail.icloud.com",
    ] {
        assert!(KnownProvider::of_exchanger(host).is_some(), "{host}");
    }
    for host in KnownProvider::all().flat_map(KnownProvider::preset_hosts) {
        assert_eq!(KnownProvider::of_exchanger(host), None, "{host}");
    }
    assert_eq!(KnownProvider::of_exchanger("mx.example.com"), None);
    let google = KnownProvider::of_exchanger("aspmx.l.google.com");
    assert_eq!(name(google), Some("Google"));
    assert_eq!(google.and_then(|row| row.preset(Leg::Imap)), Some(Preset::Host("imap.gmail.com")));
}

#[test]
fn typing_errors_are_recognised() {
    assert_eq!(suggested_host("smtp.gmial.com"), Some("smtp.gmail.com"));
    assert_eq!(suggested_host("imap.gmail.con"), Some("imap.gmail.com"));
    assert_eq!(suggested_host("smtp.ofice365.com"), Some("smtp.office365.com"));
    assert_eq!(suggested_host("mail.example.com"), None);
}

#[test]
fn spaces_are_removed_from_app_passwords_only() {
    let compact = |host, password| KnownProvider::of_login_host(host)?.without_app_password_spaces(password);
    assert_eq!(compact("smtp.gmail.com", "abcd efgh\u{a0}ijkl mnop").as_deref(), Some("abcdefghijklmnop"));
    assert_eq!(compact("smtp.qq.com", "abcd efgh ijkl mnop").as_deref(), Some("abcdefghijklmnop"));
    assert_eq!(compact("smtp.gmail.com", "my own pass word"), None);
    assert_eq!(compact("smtp.gmail.com", "abcdefghijklmnop"), None);
    assert_eq!(compact("smtp.fastmail.com", "abcd efgh ijkl mnop"), None);
}

#[test]
fn user_names_have_the_form_that_is_wanted() {
    let wanted = |host, leg, username| KnownProvider::of_login_host(host)?.wanted_user_name(leg, username);
    let (address, local_part) = ("ann@example.com", "ann");
    for leg in [Leg::Smtp, Leg::Imap] {
        assert_eq!(wanted("imap.wp.pl", leg, address), Some("only the part of the address before the @"));
        assert_eq!(wanted("imap.wp.pl", leg, local_part), None);
        assert_eq!(wanted("outlook.office365.com", leg, local_part), Some("the full address"));
        assert_eq!(wanted("outlook.office365.com", leg, address), None);
        assert_eq!(wanted("mail.gmx.net", leg, local_part), None);
    }
    assert_eq!(wanted("smtp.mail.me.com", Leg::Smtp, local_part), Some("the full address"));
    assert_eq!(wanted("imap.mail.me.com", Leg::Imap, local_part), None);
}

#[test]
fn a_customers_provider_is_found_from_host_mx_and_spf() {
    assert_eq!(name(KnownProvider::of_customer_host("SMTP.gmail.com.")), Some("Google"));
    assert_eq!(name(KnownProvider::of_customer_host("smtp.zoho.com.au")), Some("Zoho"));
    assert_eq!(name(KnownProvider::of_customer_host("smtp.gmail.com.example")), None);
    assert_eq!(name(KnownProvider::of_mx_target("example-com.mail.protection.outlook.com")), Some("Microsoft"));
    assert_eq!(name(KnownProvider::of_mx_target("notgoogle.com")), None);
    assert_eq!(name(KnownProvider::of_spf_include("zoho.eu")), Some("Zoho"));
}

#[test]
fn the_recommended_include_is_the_one_of_the_region() {
    let include = KnownProvider::of_customer_host("smtp.zoho.eu").map(|row| row.spf_includes[0]);
    assert_eq!(include, Some("zohomail.eu"));
}

#[test]
fn each_customer_of_microsoft_has_an_exchanger_of_its_own() {
    let row = KnownProvider::of_customer_host("smtp.office365.com");
    let value = row.and_then(|row| row.mx_value("mail.example.com"));
    assert_eq!(value.as_deref(), Some("0 mail-example-com.mail.protection.outlook.com"));
}
