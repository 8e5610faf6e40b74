//! The certificate authority that vouches for the gateway: made at the first start, and kept beside the data.
//!
//! Invariants:
//! - A client that trusts the authority goes on to do so after a restart: its key stays. The gateway's own certificate is
//!   made anew each time, for the names and addresses by which it is reached then.
//! - The key can be read by its owner alone.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};

use anyhow::Context;
use gateway::Certificate;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType, date_time_ymd,
};

/// The authority's certificate, for clients.
const CERTIFICATE: &str = "ca.pem";
/// Its key.
const KEY: &str = "ca-key.pem";

/// An authority.
pub(crate) struct Authority {
    key: KeyPair,
    /// Its certificate.
    pub(crate) pem: String,
    der: Vec<u8>,
    /// Where its certificate lies, if it is kept.
    pub(crate) path: Option<PathBuf>,
}

impl Authority {
    /// The authority of a data directory, made if there is none; one that is not kept without a directory.
    ///
    /// # Errors
    /// Its files cannot be read or written.
    pub(crate) fn open(directory: Option<&Path>) -> anyhow::Result<Self> {
        let Some(directory) = directory else { return Authority::of(KeyPair::generate()?) };
        let (path, key_path) = (directory.join(CERTIFICATE), directory.join(KEY));
        let key = match fs::read_to_string(&key_path) {
            Ok(pem) => KeyPair::from_pem(&pem).with_context(|| {
                format!("{} is no key; remove it to have another made", key_path.display())
            })?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let key = KeyPair::generate()?;
                write_private(&key_path, &key.serialize_pem())
                    .with_context(|| format!("{} cannot be written", key_path.display()))?;
                key
            }
            Err(error) => {
                return Err(error).with_context(|| format!("{} cannot be read", key_path.display()));
            }
        };
        let mut authority = Authority::of(key)?;
        // Another certificate of the same key is trusted alike, but a file that stays is one less surprise.
        match fs::read_to_string(&path) {
            Ok(pem) if pem.contains("BEGIN CERTIFICATE") => authority.pem = pem,
            _ => fs::write(&path, &authority.pem)
                .with_context(|| format!("{} cannot be written", path.display()))?,
        }
        authority.path = Some(path);
        Ok(authority)
    }

    fn of(key: KeyPair) -> anyhow::Result<Self> {
        let certificate = params()?.self_signed(&key)?;
        Ok(Authority { key, pem: certificate.pem(), der: certificate.der().to_vec(), path: None })
    }

    /// A certificate for a server that is reached by these hosts, and by this machine's own names.
    ///
    /// # Errors
    /// A host is no name.
    pub(crate) fn issue(&self, hosts: &[String]) -> anyhow::Result<Certificate> {
        let mut own = CertificateParams::new(Vec::new())?;
        own.distinguished_name.push(DnType::CommonName, "Carnelian");
        own.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        own.use_authority_key_identifier_extension = true;
        (own.not_before, own.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2120, 1, 1));
        own.subject_alt_names = vec![
            SanType::DnsName("localhost".try_into()?),
            SanType::IpAddress(Ipv4Addr::LOCALHOST.into()),
            SanType::IpAddress(Ipv6Addr::LOCALHOST.into()),
        ];
        for host in hosts {
            let name = match host.parse::<IpAddr>() {
                Ok(address) if address.is_unspecified() => continue,
                Ok(address) => SanType::IpAddress(address),
                Err(_) => SanType::DnsName(host.as_str().try_into()?),
            };
            if !own.subject_alt_names.contains(&name) {
                own.subject_alt_names.push(name);
            }
        }
        let key = KeyPair::generate()?;
        let issuer = Issuer::new(params()?, &self.key);
        let certificate = own.signed_by(&key, &issuer)?;
        let chain = vec![certificate.der().to_vec(), self.der.clone()];
        Ok(Certificate { chain, key: key.serialize_der() })
    }
}

/// What the authority is; with its key it is always the same one.
fn params() -> anyhow::Result<CertificateParams> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name.push(DnType::CommonName, "Carnelian certificate authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2120, 1, 1));
    Ok(params)
}

fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)?.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authority_stays_what_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let first = Authority::open(Some(directory.path())).unwrap();
        let again = Authority::open(Some(directory.path())).unwrap();
        assert_eq!(first.pem, again.pem);
        assert_eq!(first.key.serialize_pem(), again.key.serialize_pem());
        assert_eq!(first.path, Some(directory.path().join(CERTIFICATE)));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(directory.path().join(KEY)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        fs::write(directory.path().join(KEY), "nonsense").unwrap();
        let said = format!("{:#}", Authority::open(Some(directory.path())).err().unwrap());
        assert!(said.contains("remove it to have another made"), "{said}");
    }

    #[test]
    fn certificates_are_for_hosts_by_name_or_address() {
        let authority = Authority::open(None).unwrap();
        assert_eq!(authority.path, None);
        let hosts = ["cache.local".to_owned(), "10.0.0.1".to_owned(), "0.0.0.0".to_owned()];
        assert_eq!(authority.issue(&hosts).unwrap().chain.len(), 2);
        assert!(authority.issue(&["no name\u{e9}".to_owned()]).is_err());
    }
}
