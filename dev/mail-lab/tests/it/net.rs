use std::io::ErrorKind;
use std::net::TcpStream;
use std::time::Duration;

use mail_lab::{blackhole_port, refused_port, silent_port};
use tokio::io::AsyncReadExt;

#[test]
fn a_refused_port_refuses() {
    let port = refused_port().unwrap();
    let error = TcpStream::connect(port.addr()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
}

#[test]
fn a_black_hole_never_connects() {
    let port = blackhole_port().unwrap();
    for _ in 0..2 {
        let error = TcpStream::connect_timeout(&port.addr(), Duration::from_millis(150)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
    }
}

#[tokio::test]
async fn a_silent_port_accepts_and_is_closed_by_drop() {
    let port = silent_port().unwrap();
    let mut stream = tokio::net::TcpStream::connect(port.addr()).await.unwrap();
    let mut byte = [0];
    let read = tokio::time::timeout(Duration::from_millis(50), stream.read(&mut byte)).await;
    assert!(read.is_err());
    assert_eq!(port.accepted(), 1);
    drop(port);
    assert_eq!(stream.read(&mut byte).await.unwrap(), 0);
}
