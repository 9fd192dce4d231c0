//! Streams and datagrams over the loopback.

use super::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn free(protocol: Protocol) -> SocketAddr {
    match protocol {
        Protocol::Tcp => std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap(),
        Protocol::Udp => std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap(),
    }
}

async fn started(way: Way) {
    let (told, heard) = tokio::sync::oneshot::channel();
    tokio::spawn(async move { serve(&[way], move || told.send(()).unwrap()).await.unwrap() });
    heard.await.unwrap();
}

#[tokio::test]
async fn streams_are_passed_on_both_ways() {
    let target = TcpListener::bind("[::1]:0").await.unwrap();
    let way = Way {
        protocol: Protocol::Tcp,
        from: free(Protocol::Tcp),
        to: vec![target.local_addr().unwrap()],
    };
    started(way.clone()).await;
    let mut peer = TcpStream::connect(way.from).await.unwrap();
    peer.write_all(b"question").await.unwrap();
    // That one side has said all does not end the other.
    peer.shutdown().await.unwrap();
    let (mut there, _) = target.accept().await.unwrap();
    let mut text = String::new();
    there.read_to_string(&mut text).await.unwrap();
    assert_eq!(text, "question");
    there.write_all(b"answer").await.unwrap();
    drop(there);
    text.clear();
    peer.read_to_string(&mut text).await.unwrap();
    assert_eq!(text, "answer");
    // Nobody is there any more: the connection ends.
    drop(target);
    let mut peer = TcpStream::connect(way.from).await.unwrap();
    assert_eq!(peer.read(&mut [0; 8]).await.unwrap_or(0), 0);
}

#[tokio::test]
async fn datagrams_come_back_to_who_asked() {
    let target = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let way = Way {
        protocol: Protocol::Udp,
        from: free(Protocol::Udp),
        to: vec![target.local_addr().unwrap()],
    };
    started(way.clone()).await;
    let mut bytes = [0; 64];
    let peers = [
        UdpSocket::bind("127.0.0.1:0").await.unwrap(),
        UdpSocket::bind("127.0.0.1:0").await.unwrap(),
    ];
    for (n, peer) in peers.iter().enumerate() {
        peer.send_to(format!("question {n}").as_bytes(), way.from).await.unwrap();
    }
    for _ in &peers {
        let (length, sender) = target.recv_from(&mut bytes).await.unwrap();
        let answer = String::from_utf8_lossy(&bytes[..length]).replace("question", "answer");
        target.send_to(answer.as_bytes(), sender).await.unwrap();
    }
    for (n, peer) in peers.iter().enumerate() {
        let (length, from) = peer.recv_from(&mut bytes).await.unwrap();
        assert_eq!((&bytes[..length], from), (format!("answer {n}").as_bytes(), way.from));
    }
}

#[tokio::test]
async fn what_one_place_refuses_goes_to_the_next() {
    let streams = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let to = vec![free(Protocol::Tcp), streams.local_addr().unwrap()];
    let way = Way { protocol: Protocol::Tcp, from: free(Protocol::Tcp), to };
    started(way.clone()).await;
    let mut peer = TcpStream::connect(way.from).await.unwrap();
    peer.write_all(b"question").await.unwrap();
    let (mut there, _) = streams.accept().await.unwrap();
    let mut bytes = [0; 8];
    there.read_exact(&mut bytes).await.unwrap();
    assert_eq!(&bytes, b"question");
    // Of datagrams the first is refused too, and must not be lost for it.
    let target = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let to = vec![free(Protocol::Udp), target.local_addr().unwrap()];
    let way = Way { protocol: Protocol::Udp, from: free(Protocol::Udp), to };
    started(way.clone()).await;
    let peer = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    for number in 0..3u8 {
        peer.send_to(&[number], way.from).await.unwrap();
        let (_, sender) = target.recv_from(&mut bytes).await.unwrap();
        assert_eq!(bytes[0], number);
        target.send_to(&[number + 10], sender).await.unwrap();
        peer.recv_from(&mut bytes).await.unwrap();
        assert_eq!(bytes[0], number + 10);
    }
}

#[tokio::test]
async fn a_port_that_is_taken_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let _held = TcpListener::bind(taken).await.unwrap();
    let way = Way { protocol: Protocol::Tcp, from: taken, to: vec![taken] };
    let (named, error) = serve(std::slice::from_ref(&way), || {}).await.unwrap_err();
    assert_eq!((named, error.kind()), (way, io::ErrorKind::AddrInUse));
}
