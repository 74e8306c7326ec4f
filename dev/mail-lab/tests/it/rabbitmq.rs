use std::net::TcpStream;

use mail_lab::RabbitMq;

#[test]
fn virtual_hosts_are_separate_and_dropped() {
    let server = RabbitMq::shared().unwrap();
    let (one, two) = (server.vhost().unwrap(), server.vhost().unwrap());
    assert_ne!(one.url(), two.url());
    assert!(one.url().starts_with(&format!("amqp://test:test@{}/", server.addr())));
    let (gone, left) = (one.name().to_string(), two.name().to_string());
    drop(one);
    assert!(server.has_vhost(&left) && !server.has_vhost(&gone));
}

#[test]
fn a_server_comes_back_after_a_stop_and_a_kill() {
    let mut server = RabbitMq::start().unwrap();
    let addr = server.addr();
    let vhost = server.vhost().unwrap();
    server.stop().unwrap();
    assert!(TcpStream::connect(addr).is_err());
    server.start_again().unwrap();
    assert!(server.start_again().is_err(), "it runs");
    assert!(server.has_vhost(vhost.name()));

    server.kill9().unwrap();
    assert!(TcpStream::connect(addr).is_err());
    server.start_again().unwrap();
    assert_eq!(server.addr(), addr);
    assert!(server.has_vhost(vhost.name()));
    drop(server);
    assert!(TcpStream::connect(addr).is_err());
}
