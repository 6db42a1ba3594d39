//! The certificate of the web server: `data/cert.pem` and `data/key.pem`.

use axum_server::tls_rustls::RustlsConfig;
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

/// Why there is no HTTPS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read or written.
    #[error("{path}: {source}")]
    File {
        /// Which file.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// A file is no PEM, or without what should be in it.
    #[error("{path}: {reason}")]
    Pem {
        /// Which file.
        path: String,
        /// Why.
        reason: String,
    },
    /// One of the two files is missing.
    #[error("{present} is there but {missing} is not: put both there, or none to have them made")]
    Half {
        /// The file that is there.
        present: String,
        /// The file that is not.
        missing: String,
    },
    /// Certificate and key do not work, or not together.
    #[error("the certificate {path} cannot be used: {source}")]
    Unusable {
        /// The certificate.
        path: String,
        /// Why.
        source: rustls::Error,
    },
    /// No certificate could be made.
    #[error("cannot make a certificate: {0}")]
    Make(#[from] rcgen::Error),
}

/// The two files, and what was made of them.
#[derive(Debug)]
pub struct Certificate {
    certificate: PathBuf,
    key: PathBuf,
    config: RustlsConfig,
    /// The certificate was made here: browsers will warn.
    made: bool,
    seen: Mutex<Stamps>,
}

type Stamps = [Option<SystemTime>; 2];

/// Both or none.
fn are_there(certificate: &Path, key: &Path) -> Result<bool, TlsError> {
    let half = |present: &Path, missing: &Path| TlsError::Half {
        present: present.display().to_string(),
        missing: missing.display().to_string(),
    };
    match (certificate.exists(), key.exists()) {
        (true, true) => Ok(true),
        (false, false) => Ok(false),
        (true, false) => Err(half(certificate, key)),
        (false, true) => Err(half(key, certificate)),
    }
}

impl Certificate {
    /// Reads the files in `folder`, or makes a certificate for `names` and keeps it there.
    /// Blocks.
    ///
    /// # Errors
    /// When the files cannot be read, written or used.
    pub fn open(folder: &Path, names: &[String]) -> Result<Self, TlsError> {
        let (certificate, key) = (folder.join("cert.pem"), folder.join("key.pem"));
        if !are_there(&certificate, &key)? {
            make(folder, &certificate, &key, names)?;
        }
        let seen = stamps(&certificate, &key);
        let (config, made) = load(&certificate, &key)?;
        let config = RustlsConfig::from_config(Arc::new(config));
        Ok(Self {
            certificate,
            key,
            config,
            made,
            seen: Mutex::new(seen),
        })
    }

    /// Whether a server could use the files in `folder`; false if there are none, and it would
    /// make them. Blocks.
    ///
    /// # Errors
    /// When it could not.
    pub fn inspect(folder: &Path) -> Result<bool, TlsError> {
        let (certificate, key) = (folder.join("cert.pem"), folder.join("key.pem"));
        let there = are_there(&certificate, &key)?;
        if there {
            load(&certificate, &key)?;
        }
        Ok(there)
    }

    /// For the acceptor. Follows [`Self::refresh`].
    pub fn config(&self) -> RustlsConfig {
        self.config.clone()
    }

    /// The certificate is one that this program made.
    pub fn is_self_made(&self) -> bool {
        self.made
    }

    /// Reads the files again, changed or not. Otherwise as [`Self::refresh`].
    pub fn reread(&self) {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = [None; 2];
        self.refresh();
    }

    /// Reads the files again if they changed; new connections use them. Broken ones are logged,
    /// once, and change nothing. Blocks.
    pub fn refresh(&self) {
        let stamps = stamps(&self.certificate, &self.key);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if *seen == stamps {
            return;
        }
        *seen = stamps;
        match load(&self.certificate, &self.key) {
            Ok((config, _)) => {
                self.config.reload_from_config(Arc::new(config));
                tracing::info!(file = %self.certificate.display(), "certificate read again");
            }
            // Two files are never replaced at once: if only one was, the other comes next.
            Err(error) => tracing::warn!("{error}; the certificate in use stays"),
        }
    }
}

fn stamps(certificate: &Path, key: &Path) -> Stamps {
    [certificate, key].map(|path| {
        std::fs::metadata(path)
            .and_then(|meta| meta.modified())
            .ok()
    })
}

/// Organisation of the certificates made here, by which they are known again.
const MARK: &str = "Perikon self-signed certificate";

fn load(certificate: &Path, key: &Path) -> Result<(ServerConfig, bool), TlsError> {
    let read = |path: &Path| {
        std::fs::read(path).map_err(|source| TlsError::File {
            path: path.display().to_string(),
            source,
        })
    };
    let bad = |path: &Path, reason: String| TlsError::Pem {
        path: path.display().to_string(),
        reason,
    };
    let chain = CertificateDer::pem_slice_iter(&read(certificate)?)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| bad(certificate, error.to_string()))?;
    let Some(first) = chain.first() else {
        return Err(bad(certificate, "no certificate in it".to_owned()));
    };
    let made = first
        .windows(MARK.len())
        .any(|window| window == MARK.as_bytes());
    let private =
        PrivateKeyDer::from_pem_slice(&read(key)?).map_err(|error| bad(key, error.to_string()))?;
    let unusable = |source| TlsError::Unusable {
        path: certificate.display().to_string(),
        source,
    };
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(unusable)?
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .map_err(unusable)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok((config, made))
}

/// Makes a certificate that is good for ten years: browsers warn of it anyway, and an exception
/// that someone made for it should not have to be made again.
fn make(folder: &Path, certificate: &Path, key: &Path, names: &[String]) -> Result<(), TlsError> {
    let mut params = CertificateParams::new(names)?;
    let year = i32::from(jiff::Zoned::now().year());
    params.not_before = date_time_ymd(year - 1, 1, 1);
    params.not_after = date_time_ymd(year + 10, 1, 1);
    params.distinguished_name = DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::OrganizationName, MARK);
    params
        .distinguished_name
        .push(DnType::CommonName, names.first().map_or("localhost", |n| n));
    let pair = KeyPair::generate()?;
    let signed = params.self_signed(&pair)?;
    let failed = |path: &Path| {
        let path = path.display().to_string();
        |source| TlsError::File { path, source }
    };
    std::fs::create_dir_all(folder).map_err(failed(folder))?;
    // The key first: with a certificate alone, the next start would refuse.
    write_new(key, &pair.serialize_pem(), 0o600).map_err(failed(key))?;
    if let Err(source) = write_new(certificate, &signed.pem(), 0o644) {
        let _ = std::fs::remove_file(key);
        return Err(failed(certificate)(source));
    }
    tracing::info!(file = %certificate.display(), "made a self-signed certificate");
    Ok(())
}

fn write_new(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::{Certificate, TlsError};
    use std::os::unix::fs::PermissionsExt;
    use std::sync::Arc;
    use std::time::{Duration, SystemTime};

    fn names() -> Vec<String> {
        vec![
            "localhost".to_owned(),
            "127.0.0.1".to_owned(),
            "::1".to_owned(),
        ]
    }

    #[test]
    fn a_certificate_is_made_once_and_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        let data = folder.path().join("data");
        assert!(
            Certificate::open(&data, &names())
                .expect("made")
                .is_self_made()
        );
        let read = |name: &str| std::fs::read(data.join(name)).expect("a file");
        let (certificate, key) = (read("cert.pem"), read("key.pem"));
        let mode = std::fs::metadata(data.join("key.pem"))
            .expect("a file")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(
            Certificate::open(&data, &names())
                .expect("read")
                .is_self_made()
        );
        assert_eq!((read("cert.pem"), read("key.pem")), (certificate, key));
    }

    #[test]
    fn bad_files_are_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let open = || Certificate::open(folder.path(), &names());
        let write = |name: &str, text: &str| {
            std::fs::write(folder.path().join(name), text).expect("writing");
        };
        write("cert.pem", "nonsense");
        assert!(matches!(open(), Err(TlsError::Half { .. })));
        write("key.pem", "nonsense");
        let error = open().expect_err("no certificate").to_string();
        assert!(error.contains("cert.pem: no certificate in it"), "{error}");

        let other = tempfile::tempdir().expect("a folder");
        Certificate::open(other.path(), &names()).expect("made");
        std::fs::copy(
            other.path().join("cert.pem"),
            folder.path().join("cert.pem"),
        )
        .expect("copy");
        let error = open().expect_err("no key").to_string();
        assert!(error.contains("key.pem: "), "{error}");

        let third = tempfile::tempdir().expect("a folder");
        Certificate::open(third.path(), &names()).expect("made");
        std::fs::copy(third.path().join("key.pem"), folder.path().join("key.pem")).expect("copy");
        assert!(
            matches!(open(), Err(TlsError::Unusable { .. })),
            "key of another certificate"
        );
    }
    #[test]
    fn changed_files_are_used_and_broken_ones_are_not() {
        let (folder, other) = (
            tempfile::tempdir().expect("a folder"),
            tempfile::tempdir().expect("a folder"),
        );
        let certificate = Certificate::open(folder.path(), &names()).expect("made");
        Certificate::open(other.path(), &names()).expect("made");
        let config = || certificate.config().get_inner();
        let first = config();
        certificate.refresh();
        assert!(Arc::ptr_eq(&config(), &first), "nothing changed");
        let copy = |name: &str| {
            // A copy has the time of now, which may be that of the file it replaces.
            let later = SystemTime::now() + Duration::from_secs(5);
            std::fs::copy(other.path().join(name), folder.path().join(name)).expect("copying");
            let file = std::fs::File::options()
                .append(true)
                .open(folder.path().join(name));
            file.expect("a file")
                .set_modified(later)
                .expect("setting the time");
        };
        copy("cert.pem");
        certificate.refresh();
        assert!(
            Arc::ptr_eq(&config(), &first),
            "the key is still that of the old one"
        );
        copy("key.pem");
        certificate.refresh();
        assert!(!Arc::ptr_eq(&config(), &first));
    }
}
