//! Who calls: the account, its projects and users, their passwords, access keys and rights ([`crate::policy`]).
//!
//! Invariants:
//! - An id follows from the name that it stands for, so it is the same on every machine and after every restart.
//! - A [`Secret`] is compared in constant time and never printed.
//!
//! Deliberately not here: how a caller proves who they are. Tokens and signatures belong to the providers.

use std::fmt;
use std::sync::Arc;

use ctutils::CtEq;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::policy::Rights;

/// The account: everything that callers can be and name.
#[derive(Clone, Debug)]
pub struct Directory {
    /// The domain, which is the account.
    pub domain: Named,
    /// The region that everything lies in.
    pub region: String,
    /// Its projects.
    pub projects: Vec<Named>,
    /// Its users, the administrator first.
    pub users: Vec<Arc<User>>,
    /// Whether credentials are not looked at: whoever calls is the administrator, and may name any project.
    pub is_open: bool,
}

/// An id and the name that people use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// 32 hexadecimal digits.
    pub id: String,
    /// The name.
    pub name: String,
}

/// What users have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The domain.
    pub domain: Named,
    /// The region.
    pub region: String,
}

/// A user.
#[derive(Clone, Debug)]
pub struct User {
    /// Id and name.
    pub named: Named,
    /// The account.
    pub account: Account,
    /// The password.
    pub password: Secret,
    /// The keys that sign requests.
    pub access_keys: Vec<AccessKey>,
    /// What the user may do.
    pub rights: Rights,
}

/// A key that signs requests.
#[derive(Clone, Debug)]
pub struct AccessKey {
    /// The public half, sent with each request.
    pub id: String,
    /// The secret half.
    pub secret: Secret,
}

/// Who makes a request, proven.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The user.
    pub user: Arc<User>,
    /// The project that the credentials are for; `None` for an account's or for none.
    pub project: Option<Named>,
}

/// A text that is compared in constant time and never printed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Directory {
    /// An account with one project and one user, who may do everything.
    pub fn with_administrator(
        domain: &str,
        region: &str,
        project: Named,
        user: &str,
        password: Secret,
        key: AccessKey,
    ) -> Self {
        let account = Account { domain: Named::derived("domain", &[domain]), region: region.to_owned() };
        let administrator = User {
            named: Named::derived("user", &[domain, user]),
            account: account.clone(),
            password,
            access_keys: vec![key],
            rights: Rights::everything(),
        };
        Directory {
            domain: account.domain,
            region: account.region,
            projects: vec![project],
            users: vec![Arc::new(administrator)],
            is_open: false,
        }
    }

    /// Adds a user.
    pub fn add_user(&mut self, name: &str, password: Secret, access_keys: Vec<AccessKey>, rights: Rights) {
        let named = Named::derived("user", &[&self.domain.name, name]);
        let account = Account { domain: self.domain.clone(), region: self.region.clone() };
        self.users.push(Arc::new(User { named, account, password, access_keys, rights }));
    }

    /// Adds a project.
    pub fn add_project(&mut self, name: &str) {
        self.projects.push(Named::derived("project", &[&self.domain.name, name]));
    }

    /// Who calls where credentials are not looked at, with the project of this id; nobody elsewhere.
    pub fn anyone(&self, project_id: Option<&str>) -> Option<Caller> {
        let known = |id: &str| self.projects.iter().find(|project| project.id == id).cloned();
        let project = project_id
            .map(|id| known(id).unwrap_or_else(|| Named { id: id.to_owned(), name: id.to_owned() }));
        self.is_open.then(|| Caller { user: self.users[0].clone(), project })
    }

    /// The user with this id or name.
    pub fn user(&self, id_or_name: &str) -> Option<&Arc<User>> {
        self.users.iter().find(|user| user.named.is(id_or_name))
    }

    /// The project with this id or name.
    pub fn project(&self, id_or_name: &str) -> Option<&Named> {
        self.projects.iter().find(|project| project.is(id_or_name))
    }

    /// The owner of an access key, and the key.
    pub fn access_key(&self, id: &str) -> Option<(&Arc<User>, &AccessKey)> {
        self.users.iter().find_map(|user| {
            let key = user.access_keys.iter().find(|key| key.id == id)?;
            Some((user, key))
        })
    }
}

impl Named {
    /// The last of `path`, with the id that follows from what it is and from the whole path.
    pub fn derived(what: &str, path: &[&str]) -> Self {
        let mut digest = Sha256::new();
        for part in std::iter::once(&what).chain(path) {
            digest.update(part.as_bytes());
            digest.update([0]);
        }
        let id = hex::encode(&digest.finalize()[..16]);
        Named { id, name: path.last().copied().unwrap_or_default().to_owned() }
    }

    /// Whether `id_or_name` means this one.
    pub fn is(&self, id_or_name: &str) -> bool {
        self.id == id_or_name || self.name == id_or_name
    }
}

impl Secret {
    /// A secret with this text.
    pub fn new(text: impl Into<String>) -> Self {
        Secret(text.into())
    }

    /// Whether `guess` is it. The time that this takes tells only the lengths.
    pub fn is(&self, guess: &str) -> bool {
        self.0.as_bytes().ct_eq(guess.as_bytes()).to_bool()
    }

    /// The text, for those who must pass it on.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_follow_from_names() {
        let first = Named::derived("project", &["demo", "my-kualalumpur-1"]);
        assert_eq!(first, Named::derived("project", &["demo", "my-kualalumpur-1"]));
        assert_eq!((first.id.len(), first.name.as_str()), (32, "my-kualalumpur-1"));
        assert_ne!(first.id, Named::derived("user", &["demo", "my-kualalumpur-1"]).id);
        assert_ne!(first.id, Named::derived("project", &["demomy", "-kualalumpur-1"]).id);
    }

    #[test]
    fn a_secret_tells_nothing() {
        let secret = Secret::new("First_Pw1");
        assert!(secret.is("First_Pw1"));
        assert!(!secret.is("First_Pw2") && !secret.is("") && !secret.is("First_Pw12"));
        assert_eq!(format!("{secret:?}"), "Secret(..)");
    }
}
