//! The listening socket, which can stop taking connections before it is closed.

use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Protocol, SockFilter, Socket, Type};

/// A Berkeley packet filter that drops what asks for a new connection, and lets handshakes that have begun end.
const NO_SYN: [(u16, u8, u8, u32); 5] = [
    (0x30, 0, 0, 13),       // the flags of the TCP header
    (0x54, 0, 0, 0x12),     // SYN and ACK of them
    (0x15, 0, 1, 0x02),     // SYN alone?
    (0x06, 0, 0, 0),        // keep nothing
    (0x06, 0, 0, u32::MAX), // keep all
];

/// A handle to the listening socket, beside the server's.
pub(super) struct Listener(Socket);

impl Listener {
    /// Binds and listens.
    pub(super) fn open(address: SocketAddr, backlog: u32) -> std::io::Result<(TcpListener, Self)> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
        let listener = Self(socket.try_clone()?);
        Ok((socket.into(), listener))
    }

    /// From now on the kernel lets no new connection in, and those it has let in stay: a socket that is closed with
    /// connections waiting resets them. A client that comes now tries again and finds the port closed.
    pub(super) fn refuse_connections(&self) {
        if let Err(error) = self.0.attach_filter(&NO_SYN.map(|(code, jt, jf, k)| SockFilter::new(code, jt, jf, k))) {
            tracing::warn!(%error, "connections that come at the last moment may be reset");
        }
    }
}
