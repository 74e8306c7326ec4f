use mail_lab::{Postgres, postgres_program};

#[test]
fn databases_are_separate_and_dropped() {
    let server = Postgres::shared().unwrap();
    let (one, two) = (server.database().unwrap(), server.database().unwrap());
    one.execute("CREATE TABLE t (n int, s text); INSERT INTO t VALUES (1, NULL)").unwrap();
    let rows = one.execute("SELECT * FROM t").unwrap();
    assert_eq!(rows, [[Some("1".to_string()), None]]);
    let error = two.execute("SELECT * FROM t").unwrap_err().to_string();
    assert!(error.contains("does not exist"), "{error}");
    assert!(one.url().starts_with("postgres://postgres@127.0.0.1:") && one.url().ends_with(one.name()));

    let name = one.name().to_string();
    drop(one);
    let left = two.execute(&format!("SELECT 1 FROM pg_database WHERE datname = '{name}'")).unwrap();
    assert!(left.is_empty());
}

#[test]
fn an_own_server_stops_with_its_value() {
    let server = Postgres::start().unwrap();
    let addr = server.addr();
    let database = server.database().unwrap();
    database.execute("SELECT 1").unwrap();
    drop(server);
    assert!(std::net::TcpStream::connect(addr).is_err());
    assert!(database.execute("SELECT 1").is_err());
}

#[test]
fn a_server_that_is_stopped_comes_back_with_its_data() {
    let mut server = Postgres::start().unwrap();
    let database = server.database().unwrap();
    database.execute("CREATE TABLE t (n int); INSERT INTO t VALUES (7)").unwrap();
    server.stop().unwrap();
    let error = database.execute("SELECT n FROM t").unwrap_err().to_string();
    assert!(error.contains("refused"), "{error}");
    server.start_again().unwrap();
    assert_eq!(database.execute("SELECT n FROM t").unwrap(), [[Some("7".to_string())]]);
}

#[test]
fn a_durable_server_keeps_every_commit_over_a_crash() {
    let mut server = Postgres::start_durable().unwrap();
    let database = server.database().unwrap();
    for setting in ["fsync", "synchronous_commit", "full_page_writes"] {
        assert_eq!(database.execute(&format!("SHOW {setting}")).unwrap(), [[Some("on".to_string())]]);
    }
    database.execute("CREATE TABLE t (n int); INSERT INTO t VALUES (7)").unwrap();
    server.crash().unwrap();
    assert!(database.execute("SELECT n FROM t").is_err());
    server.start_again().unwrap();
    assert_eq!(database.execute("SELECT n FROM t").unwrap(), [[Some("7".to_string())]]);
}

#[test]
fn programs_are_found_or_their_package_named() {
    assert!(postgres_program("pgbench").unwrap().is_file());
    let error = postgres_program("pg-no-such").unwrap_err().to_string();
    assert!(error.contains("apt-get install postgresql"), "{error}");
}
