#![allow(clippy::unwrap_used)]
use super::*;

fn load(variables: &[(&str, &str)]) -> Result<Settings, String> {
    let variables = variables.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
    Settings::from_layers(None, variables).map_err(|e| e.to_string())
}

#[test]
fn the_environment_wins_over_the_defaults() {
    let defaults = load(&[("PATH", "/bin"), ("MAILMOOR_CONFIG", "x")]).unwrap();
    assert_eq!(defaults.verifier.connect_timeout(), Duration::from_secs(10));
    assert!(defaults.egress.allowed_networks.is_empty());
    let webhooks = &defaults.webhooks;
    let delays: Duration = (1..).map_while(|attempt| webhooks.retry_after(attempt, None)).sum();
    assert_eq!((webhooks.max_attempts(None), delays), (8, Duration::from_secs(86_400)));
    let delays = |wanted| {
        let delays = (0..20).map(|attempt| webhooks.retry_after(attempt, wanted).map_or(0, |delay| delay.as_secs()));
        (webhooks.max_attempts(wanted), delays.filter(|seconds| *seconds > 0).collect::<Vec<_>>())
    };
    assert_eq!(delays(Some(0)), (1, vec![]));
    assert_eq!(delays(Some(3)), (4, vec![60, 300, 900]));
    assert_eq!(delays(Some(9)), (10, vec![60, 300, 900, 3600, 10800, 25200, 45540, 45540, 45540]));
    let set = load(&[
        ("MAILMOOR__EGRESS__ALLOWED_NETWORKS", "127.0.0.0/8, ::1/128"),
        ("MAILMOOR__DNS__SERVERS", "127.0.0.1:5300"),
        ("MAILMOOR__VERIFIER__ATTEMPTS", "5"),
        ("MAILMOOR__EGRESS__ALLOW_PLAINTEXT_LOGIN", "true"),
        ("MAILMOOR__DATA_DIR", "/tmp/x"),
    ])
    .unwrap();
    assert_eq!(set.egress.allowed_networks.len(), 2);
    assert_eq!(set.dns.servers, ["127.0.0.1:5300".parse().unwrap()]);
    assert_eq!((set.verifier.attempts, set.egress.allow_plaintext_login), (5, true));
    assert!(
        matches!(set.database_settings(), Ok(DatabaseSettings::Sqlite { path }) if path == Path::new("/tmp/x/mailmoor.db"))
    );
}

#[test]
fn mistakes_are_named_without_their_value() {
    for (name, value, key) in [
        ("MAILMOOR__VERIFIER__CONCURENCY", "5", "concurency"),
        ("MAILMOOR__NONSENSE__KEY", "5", "nonsense"),
        ("MAILMOOR__VERIFIER__ATTEMPTS", "sesame", "verifier.attempts"),
        ("MAILMOOR__VERIFIER__ATTEMPTS", "0", "verifier.attempts"),
        ("MAILMOOR__HTTP__LISTEN", "here", "http.listen"),
        ("MAILMOOR__DNS__SERVERS", "1.1.1.1", "dns.servers"),
        ("MAILMOOR__DATABASE__URL", "mysql://root:sesame@h/d", "database.url"),
        ("MAILMOOR__BROKER__URL", "kafka://root:sesame@h", "broker.url"),
        ("MAILMOOR__BROKER__URL", "amqp://root:sesame@h", "database.url"),
        ("MAILMOOR__SECRETS__MASTER_KEY_FILE", "/nowhere/at/all", "secrets.master_key_file"),
        ("MAILMOOR__MAIL_PLATFORM__DOVEADM_URL", "http://mail:8080/sesame", "mail_platform.doveadm_api_key"),
        ("MAILMOOR__MAIL_PLATFORM__DOVEADM_URL", "mail:8080/sesame", "mail_platform.doveadm_url"),
        ("MAILMOOR__MAIL_PLATFORM__POLICY_LISTEN", "sesame", "mail_platform.policy_listen"),
        ("MAILMOOR__MAIL_PLATFORM__MILTER_LISTEN", "sesame", "mail_platform.milter_listen"),
    ] {
        let error = match load(&[(name, value)]) {
            Err(error) => error,
            // Keys that only some services need are checked by these.
            Ok(settings) => settings.master_key().err().or(settings.mail_platform.doveadm().err()).unwrap().to_string(),
        };
        assert!(error.contains(key), "{name}: {error}");
        assert!(!error.contains("sesame"), "{error}");
    }
}

#[test]
fn a_value_of_another_form_is_answered_with_an_example() {
    for (name, value, example) in [
        ("MAILMOOR__HTTP__LISTEN", "8080", "http.listen: invalid socket address syntax; an example is 127.0.0.1:8080"),
        ("MAILMOOR__DNS__SERVERS", "192.0.2.53", "192.0.2.53:53"),
        ("MAILMOOR__EGRESS__ALLOWED_NETWORKS", "localhost", "10.0.0.0/8"),
        ("MAILMOOR__MAIL_PLATFORM__POLICY_LISTEN", "here", "127.0.0.1:8080"),
    ] {
        let error = load(&[(name, value)]).unwrap_err();
        assert!(error.contains(example), "{error}");
    }
}
