//! Bodies that S3 clients send in signed or unsigned chunks (`aws-chunked`).
//!
//! Source: S3 API Reference, "Signature Calculations for the Authorization Header: Transferring Payload
//! in Multiple Chunks". Chunk signatures are verified; the checksum in a trailer is read over, not
//! computed: the loopback does not flip bits.

use super::{ALGORITHM, Authorization, hmac, sha256_hex};

/// What the chunks of one request are signed with.
pub(crate) struct Seed<'a> {
    /// The request's authorization; its signature seeds the first chunk's.
    pub(crate) authorization: &'a Authorization,
    /// The request's `x-amz-date`.
    pub(crate) amz_date: &'a str,
    /// The caller's secret key.
    pub(crate) secret: &'a str,
}

/// Why a chunked body is refused.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ChunkError {
    /// The framing is broken or the body ends too early.
    Malformed,
    /// A chunk's signature is wrong.
    Signature,
}

/// Takes the framing off a body. With a `seed` every chunk must carry the right signature.
pub(crate) fn decode(body: &[u8], seed: Option<&Seed<'_>>) -> Result<Vec<u8>, ChunkError> {
    let mut data = Vec::with_capacity(body.len());
    let mut previous = seed.map(|seed| seed.authorization.signature.clone());
    let mut rest = body;
    loop {
        let (head, tail) = split_line(rest)?;
        let (size, extension) = head.split_once(';').unwrap_or((head, ""));
        let size = usize::from_str_radix(size.trim(), 16).map_err(|_| ChunkError::Malformed)?;
        let chunk = tail.get(..size).ok_or(ChunkError::Malformed)?;
        if let (Some(seed), Some(previous)) = (seed, previous.as_mut()) {
            let given = extension.trim().strip_prefix("chunk-signature=").ok_or(ChunkError::Malformed)?;
            if chunk_signature(seed, previous, chunk) != given {
                return Err(ChunkError::Signature);
            }
            given.clone_into(previous);
        }
        if size == 0 {
            // Trailers, if any, follow; they carry checksums only.
            return Ok(data);
        }
        data.extend_from_slice(chunk);
        rest = tail[size..].strip_prefix(b"\r\n").ok_or(ChunkError::Malformed)?;
    }
}

fn split_line(bytes: &[u8]) -> Result<(&str, &[u8]), ChunkError> {
    let end = bytes.windows(2).position(|pair| pair == b"\r\n").ok_or(ChunkError::Malformed)?;
    let line = std::str::from_utf8(&bytes[..end]).map_err(|_| ChunkError::Malformed)?;
    Ok((line, &bytes[end + 2..]))
}

fn chunk_signature(seed: &Seed<'_>, previous: &str, chunk: &[u8]) -> String {
    let string_to_sign = format!(
        "{ALGORITHM}-PAYLOAD\n{}\n{}\n{previous}\n{}\n{}",
        seed.amz_date,
        seed.authorization.scope(),
        sha256_hex(b""),
        sha256_hex(chunk)
    );
    hex::encode(hmac(&seed.authorization.signing_key(seed.secret), &string_to_sign))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The documented example: 65 KiB of `a` in chunks of 64 KiB.
    fn example() -> (Authorization, Vec<u8>) {
        let authorization = Authorization::parse(
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,\
             SignedHeaders=host,Signature=4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
        )
        .unwrap();
        let mut body = Vec::new();
        for (size, signature) in [
            (65_536, "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648"),
            (1_024, "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497"),
            (0, "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9"),
        ] {
            body.extend_from_slice(format!("{size:x};chunk-signature={signature}\r\n").as_bytes());
            body.extend(std::iter::repeat_n(b'a', size));
            body.extend_from_slice(b"\r\n");
        }
        (authorization, body)
    }

    #[test]
    fn the_documented_example_decodes() {
        let (authorization, mut body) = example();
        let seed = Seed {
            authorization: &authorization,
            amz_date: "20130524T000000Z",
            secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        };
        assert_eq!(decode(&body, Some(&seed)).unwrap(), vec![b'a'; 66_560]);
        body[200] = b'b';
        assert_eq!(decode(&body, Some(&seed)), Err(ChunkError::Signature));
    }

    #[test]
    fn unsigned_chunks_with_a_trailer_decode() {
        let body = b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n";
        assert_eq!(decode(body, None).unwrap(), b"hello");
    }

    #[test]
    fn a_body_cut_short_is_malformed() {
        for body in [&b"5\r\nhel"[..], b"5\r\nhello", b"", b"xyz\r\n"] {
            assert_eq!(decode(body, None), Err(ChunkError::Malformed));
        }
    }
}
