//! A long line to a server: what it answers arrives a while later.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

use crate::common::Result;

/// Opens a line to the server of this address, such as `http://127.0.0.1:1234`; gives the address of its near end.
pub(crate) async fn open(address: &str, delay: Duration) -> Result<String> {
    let far: SocketAddr = address.trim_start_matches("http://").parse()?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let near = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            // A call that breaks is the client's to tell.
            tokio::spawn(async move { connect(client, far, delay).await.ok() });
        }
    });
    Ok(format!("http://{near}"))
}

async fn connect(client: TcpStream, far: SocketAddr, delay: Duration) -> std::io::Result<()> {
    let server = TcpStream::connect(far).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let asked = Arc::new(AtomicBool::new(false));
    let asking = tokio::spawn(ask(from_client, to_server, Arc::clone(&asked)));
    answer(from_server, to_client, delay, &asked).await?;
    asking.abort();
    Ok(())
}

async fn ask(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, asked: Arc<AtomicBool>) -> std::io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match from.read(&mut buffer).await? {
            0 => return to.shutdown().await,
            n => {
                asked.store(true, Ordering::SeqCst);
                to.write_all(&buffer[..n]).await?;
            }
        }
    }
}

/// The first part of each answer takes its time, the others come right behind it.
async fn answer(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    delay: Duration,
    asked: &AtomicBool,
) -> std::io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let n = from.read(&mut buffer).await?;
        if n == 0 {
            return to.shutdown().await;
        }
        if asked.swap(false, Ordering::SeqCst) && !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        to.write_all(&buffer[..n]).await?;
    }
}
