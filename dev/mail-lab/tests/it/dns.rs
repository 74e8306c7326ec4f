use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mail_lab::{DnsFault, DnsFront, Knot};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

const MX: u16 = 15;
const TXT: u16 = 16;

fn query(name: &str, kind: u16) -> Vec<u8> {
    let mut message = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        message.push(label.len() as u8);
        message.extend_from_slice(label.as_bytes());
    }
    message.extend_from_slice(&[0, 0, kind as u8, 0, 1]);
    message
}

async fn udp_socket(server: SocketAddr, name: &str, kind: u16) -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.connect(server).await.unwrap();
    socket.send(&query(name, kind)).await.unwrap();
    socket
}

async fn receive(socket: &UdpSocket, patience: Duration) -> Option<Vec<u8>> {
    let mut reply = vec![0; 4096];
    let length = timeout(patience, socket.recv(&mut reply)).await.ok()?.unwrap();
    reply.truncate(length);
    Some(reply)
}

async fn udp(server: SocketAddr, name: &str, kind: u16) -> Option<Vec<u8>> {
    receive(&udp_socket(server, name, kind).await, Duration::from_secs(20)).await
}

async fn is_silent(server: SocketAddr, name: &str) -> bool {
    receive(&udp_socket(server, name, TXT).await, Duration::from_millis(100)).await.is_none()
}

async fn tcp(server: SocketAddr, name: &str, kind: u16) -> Vec<u8> {
    let mut stream = TcpStream::connect(server).await.unwrap();
    let message = query(name, kind);
    stream.write_u16(message.len() as u16).await.unwrap();
    stream.write_all(&message).await.unwrap();
    let mut reply = vec![0; usize::from(stream.read_u16().await.unwrap())];
    stream.read_exact(&mut reply).await.unwrap();
    reply
}

fn rcode(reply: &[u8]) -> u8 {
    reply[3] & 0x0f
}

fn contains(reply: &[u8], text: &str) -> bool {
    reply.windows(text.len()).any(|window| window == text.as_bytes())
}

#[tokio::test]
async fn knot_serves_and_changes_zones() {
    let long = "\"0123456789012345678901234567890123456789\" ".repeat(40);
    let zone = format!("@ TXT \"first\"\n@ MX 10 mail\nlong TXT {long}\n");
    let knot = Knot::start(&[("example.test", &zone), ("other.test", "@ MX 0 .\n")]).unwrap();
    let addr = knot.addr();
    assert!(contains(&udp(addr, "example.test", TXT).await.unwrap(), "first"));
    assert_eq!(udp(addr, "other.test", MX).await.unwrap()[7], 1);
    assert_eq!(rcode(&udp(addr, "absent.example.test", MX).await.unwrap()), 3);
    assert_eq!(rcode(&udp(addr, "unknown.test", MX).await.unwrap()), 5);
    let cut = udp(addr, "long.example.test", TXT).await.unwrap();
    assert_eq!(cut[2] & 0x02, 0x02);
    assert!(tcp(addr, "long.example.test", TXT).await.len() > 1_600);

    for text in ["second", "third", "fourth"] {
        knot.set_zone("example.test.", &format!("@ TXT {text}")).unwrap();
        assert!(contains(&udp(addr, "example.test", TXT).await.unwrap(), text));
    }
    knot.set_zone("new.test", "_dmarc TXT v=DMARC1").unwrap();
    assert!(contains(&udp(addr, "_dmarc.new.test", TXT).await.unwrap(), "DMARC1"));
    for text in ["one", "two"] {
        let same_serial =
            format!("@ 5 SOA ns hostmaster 1 3600 600 86400 5\n@ 5 NS ns\nns 5 A 127.0.0.1\n@ 5 TXT {text}\n");
        knot.set_zone("serial.test", &same_serial).unwrap();
        assert!(contains(&udp(addr, "serial.test", TXT).await.unwrap(), text));
    }
    assert!(knot.set_zone("new.test", "_dmarc TXT (").is_err());
    assert!(contains(&udp(addr, "_dmarc.new.test", TXT).await.unwrap(), "DMARC1"));
    assert!(knot.set_zone("bad.test", "_dmarc TXT (").is_err());
    assert!(Knot::start(&[("bad.test", "@ MX nonsense")]).is_err());
}

#[tokio::test]
async fn the_front_fails_as_told_and_counts() {
    let names = ["ok", "servfail", "refused", "drop", "once", "slow", "cut", "spoof"];
    let zone: String = names.map(|name| format!("{name} TXT here\n")).concat();
    let knot = Knot::start(&[("example.test", &zone)]).unwrap();
    let front = DnsFront::start(knot.addr()).unwrap();
    let addr = front.addr();
    front.fault("servfail.example.test", DnsFault::ServFail);
    front.fault("refused.example.test.", DnsFault::Refused);
    front.fault_suffix("drop.example.test", DnsFault::Drop);
    front.fault("once.example.test", DnsFault::DropFirst);
    front.fault("slow.example.test", DnsFault::Delay(Duration::from_millis(100)));
    front.fault("cut.example.test", DnsFault::Truncate);
    front.fault("spoof.example.test", DnsFault::Spoof);
    let ask = async |name: &str| udp(addr, &format!("{name}.example.test"), TXT).await;

    let reply = ask("ok").await.unwrap();
    assert!(contains(&reply, "here"));
    assert_eq!((reply[2] & 0x04, reply[3] & 0x80), (0, 0x80));
    assert_eq!(rcode(&ask("servfail").await.unwrap()), 2);
    assert_eq!(rcode(&ask("refused").await.unwrap()), 5);
    assert!(is_silent(addr, "drop.example.test").await);
    assert!(is_silent(addr, "below.drop.example.test").await);
    assert!(is_silent(addr, "once.example.test").await);
    assert!(contains(&ask("once").await.unwrap(), "here"));
    let begin = Instant::now();
    assert!(contains(&ask("slow").await.unwrap(), "here"));
    assert!(begin.elapsed() >= Duration::from_millis(100));
    let cut = ask("cut").await.unwrap();
    assert!(cut[2] & 0x02 != 0 && !contains(&cut, "here"));
    assert!(contains(&tcp(addr, "cut.example.test", TXT).await, "here"));

    let socket = udp_socket(addr, "spoof.example.test", TXT).await;
    let first = receive(&socket, Duration::from_secs(20)).await.unwrap();
    let second = receive(&socket, Duration::from_secs(20)).await.unwrap();
    assert_ne!(first[..2], second[..2]);
    assert_eq!(second[..2], [0x12, 0x34]);
    assert!(contains(&second, "here"));

    assert_eq!(front.count("once.example.test", "TXT"), 2);
    assert_eq!(front.count("CUT.example.test.", "TXT"), 2);
    assert_eq!(front.queries().iter().filter(|query| query.tcp).count(), 1);
    front.wait_until(|queries| queries.iter().any(|query| query.name == "ok.example.test")).await;
    front.clear_faults();
    assert!(contains(&ask("servfail").await.unwrap(), "here"));
}
