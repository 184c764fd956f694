//! The listening socket, which can stop taking connections before it is closed.

use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroU32;

use socket2::{Domain, Protocol, Socket, Type};

/// The number of a network interface that no machine has: they are counted from 1.
const NO_INTERFACE: NonZeroU32 = NonZeroU32::new(i32::MAX.cast_unsigned()).expect("not zero");

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

    /// From now on the kernel refuses new connections, and those it has let in stay: a socket that is closed with
    /// connections waiting resets them. Bound to an interface that there is not, no packet that opens a connection is for
    /// this socket. A packet filter would do too, but for TCP it takes a capability since Linux 6.18.
    pub(super) fn refuse_connections(&self) {
        if let Err(error) = self.bind_to_no_interface() {
            tracing::warn!(%error, "connections that come at the last moment may be reset");
        }
    }

    fn bind_to_no_interface(&self) -> std::io::Result<()> {
        match self.0.domain()? {
            Domain::IPV6 => self.0.bind_device_by_index_v6(Some(NO_INTERFACE)),
            _ => self.0.bind_device_by_index_v4(Some(NO_INTERFACE)),
        }
    }
}
