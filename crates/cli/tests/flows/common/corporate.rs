//! A network like that of a company: a proxy that alone knows the names of the outside, and servers whose
//! certificates nobody else's machine would trust.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

/// A certificate authority of one's own.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// Its certificate.
    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }
}

/// Speaks TLS under a name and hands on what comes to a server that does not.
pub(crate) struct Front {
    pub(crate) address: SocketAddr,
}

impl Front {
    pub(crate) async fn open(name: &str, authority: &Authority, behind: SocketAddr) -> Self {
        let key = KeyPair::generate().unwrap();
        let certificate =
            CertificateParams::new([name.to_owned()]).unwrap().signed_by(&key, &authority.0).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    // Whoever does not trust the certificate goes away.
                    let Ok(mut client) = acceptor.accept(client).await else { return };
                    let mut server = TcpStream::connect(behind).await.unwrap();
                    let _ = copy_bidirectional(&mut client, &mut server).await;
                });
            }
        });
        Self { address }
    }
}

/// A proxy that tunnels (`CONNECT`) and forwards (absolute form), and remembers what it was asked for.
#[derive(Clone)]
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
    rules: Arc<Rules>,
}

#[derive(Default)]
struct Rules {
    /// Names that nobody else can resolve.
    names: BTreeMap<String, SocketAddr>,
    /// The `Proxy-Authorization` that is wanted.
    credentials: Option<&'static str>,
}

impl Proxy {
    pub(crate) async fn open(names: &[(&str, SocketAddr)]) -> Self {
        Self::with_rules(names, None).await
    }

    /// One that wants this `Proxy-Authorization`.
    pub(crate) async fn guarded(names: &[(&str, SocketAddr)], credentials: &'static str) -> Self {
        Self::with_rules(names, Some(credentials)).await
    }

    async fn with_rules(names: &[(&str, SocketAddr)], credentials: Option<&'static str>) -> Self {
        let names = names.iter().map(|(name, address)| ((*name).to_owned(), *address)).collect();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let proxy = Self { address, asked: Arc::default(), rules: Arc::new(Rules { names, credentials }) };
        let serving = proxy.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let proxy = serving.clone();
                // A client that goes away is none of the proxy's business.
                tokio::spawn(async move { proxy.serve(client).await });
            }
        });
        proxy
    }

    /// Its address, for variables.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What it was asked for: `CONNECT host:port`, or method and whole address.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    async fn serve(&self, client: TcpStream) -> std::io::Result<()> {
        let mut client = BufReader::new(client);
        let mut head = Vec::new();
        loop {
            let mut line = String::new();
            if client.read_line(&mut line).await? == 0 {
                return Ok(());
            }
            if line == "\r\n" {
                break;
            }
            head.push(line);
        }
        let words: Vec<&str> = head[0].split(' ').collect();
        let (method, target) = (words[0], words[1]);
        let authorization = head.iter().find_map(|line| line.strip_prefix("proxy-authorization: "));
        let authorization =
            authorization.or_else(|| head.iter().find_map(|line| line.strip_prefix("Proxy-Authorization: ")));
        if let Some(wanted) = self.rules.credentials
            && authorization.map(str::trim) != Some(wanted)
        {
            let refusal = "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n";
            return client.write_all(refusal.as_bytes()).await;
        }
        self.asked.lock().unwrap().push(format!("{method} {target}"));
        let rest = target.strip_prefix("http://");
        let (authority, path) = match rest {
            Some(rest) => rest.split_at(rest.find('/').unwrap_or(rest.len())),
            None => (target, ""),
        };
        let known = self.rules.names.get(authority).copied().or_else(|| authority.parse().ok());
        let Some(address) = known else {
            return client.write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n").await;
        };
        let mut server = TcpStream::connect(address).await?;
        if rest.is_some() {
            // One request a connection: the next one has to be looked at again.
            let mut forwarded = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
            let hop = |line: &&String| {
                let line = line.to_ascii_lowercase();
                line.starts_with("proxy-") || line.starts_with("connection:")
            };
            head.iter().skip(1).filter(|line| !hop(line)).for_each(|line| forwarded.push_str(line));
            server.write_all(format!("{forwarded}\r\n").as_bytes()).await?;
        } else {
            client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
        }
        // What came behind the head in the same packet.
        let early = client.buffer().to_vec();
        server.write_all(&early).await?;
        let mut client = client.into_inner();
        copy_bidirectional(&mut client, &mut server).await.map(drop)
    }
}
