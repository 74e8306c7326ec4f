//! Stopped and started again, a server has what it had; nothing outlives its handle.

use std::net::TcpStream;

use mail_lab::RabbitMq;

#[test]
fn a_server_that_is_stopped_comes_back() {
    let mut server = RabbitMq::start().unwrap();
    let addr = server.addr();
    let (first, second) = (server.vhost().unwrap(), server.vhost().unwrap());
    assert_ne!(first.url(), second.url());
    assert!(first.url().contains(&addr.to_string()));
    server.stop();
    assert!(TcpStream::connect(addr).is_err());
    server.start_again().unwrap();
    assert_eq!(server.addr(), addr);
    TcpStream::connect(addr).unwrap();
    // Made before the stop and still there: what is not there cannot be dropped.
    assert!(first.exists() && second.exists());
    let gone = second.url();
    drop(second);
    assert!(first.exists(), "{gone} was dropped alone");
    drop(first);
    drop(server);
    assert!(TcpStream::connect(addr).is_err());
}
