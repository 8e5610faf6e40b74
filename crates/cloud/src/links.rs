//! Links by which whoever has one may fetch a file of a backup, for a time.
//!
//! A link says itself what it is for and how long, and is sealed with a key that lies with the backups. So links need no
//! memory, outlive a restart, and end with the files.
//!
//! Invariant: what was not sealed here opens nothing, whatever it says.

use std::path::PathBuf;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::backup::Backup;
use crate::cloud::Cloud;

/// What paths of links begin with.
pub const PATH: &str = "/downloads";

/// Why a link opens nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// It was not made here.
    #[error("the link is not genuine")]
    NotGenuine,
    /// Its time is over.
    #[error("the link has expired")]
    Expired,
    /// The file that it leads to is gone.
    #[error("the file is gone")]
    Gone,
}

impl Cloud {
    /// A link to a file of a backup that is valid for so long from now on: the path and the query of its address. `shown` is
    /// what clients are to call the file; it has letters, digits, dots, dashes and underscores.
    ///
    /// # Errors
    /// The key cannot be read or made.
    pub fn link(
        &self,
        backup: &Backup,
        file: &str,
        shown: &str,
        valid_ms: u64,
    ) -> Result<String, std::io::Error> {
        let expires_s = (self.clock.now_ms() + valid_ms).div_ceil(1000);
        let seal = seal(&self.vault.key()?, &backup.id, file, expires_s);
        let seal = hex::encode(seal.finalize().into_bytes());
        Ok(format!("{PATH}/{}/{file}/{shown}?expires={expires_s}&signature={seal}", backup.id))
    }

    /// Where the file lies that a link leads to.
    ///
    /// # Errors
    /// [`LinkError`]
    pub fn follow(&self, backup_id: &str, file: &str, query: &str) -> Result<PathBuf, LinkError> {
        let value = |name: &str| {
            query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')).unwrap_or_default()
        };
        let expires_s: u64 = value("expires").parse().map_err(|_| LinkError::NotGenuine)?;
        let sent = hex::decode(value("signature")).map_err(|_| LinkError::NotGenuine)?;
        let key = self.vault.key().map_err(|_| LinkError::NotGenuine)?;
        let seal = seal(&key, backup_id, file, expires_s);
        seal.verify_slice(&sent).map_err(|_| LinkError::NotGenuine)?;
        if self.clock.now_ms() >= expires_s.saturating_mul(1000) {
            return Err(LinkError::Expired);
        }
        self.backup_file(backup_id, file).ok_or(LinkError::Gone)
    }
}

fn seal(key: &[u8], backup_id: &str, file: &str, expires_s: u64) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes any key");
    mac.update(format!("{backup_id}\n{file}\n{expires_s}").as_bytes());
    mac
}
