//! Who calls: the account, its projects and users, their passwords, access keys and rights.
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

/// A user.
#[derive(Clone, Debug)]
pub struct User {
    /// Id and name.
    pub named: Named,
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

/// What a user may do.
#[derive(Clone, Debug, Default)]
pub struct Rights {
    /// What the policies say, in no order.
    pub statements: Vec<Statement>,
    /// Whether the user may change nothing, whatever the policies say.
    pub read_only: bool,
}

/// One statement of a policy.
#[derive(Clone, Debug)]
pub struct Statement {
    /// What it does.
    pub effect: Effect,
    /// Actions such as `dcs:instance:get`; each part may be `*`, or end in it.
    pub actions: Vec<String>,
}

/// What a statement does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Allows its actions.
    Allow,
    /// Denies them, whatever else allows them.
    Deny,
}

/// Whether an action may be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It may.
    Allowed,
    /// No policy allows it, or one denies it.
    Denied,
    /// It changes something and the user may only read.
    ReadOnly,
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
        let administrator = User {
            named: Named::derived("user", &[domain, user]),
            password,
            access_keys: vec![key],
            rights: Rights::everything(),
        };
        Directory {
            domain: Named::derived("domain", &[domain]),
            region: region.to_owned(),
            projects: vec![project],
            users: vec![Arc::new(administrator)],
            is_open: false,
        }
    }

    /// Adds a user.
    pub fn add_user(&mut self, name: &str, password: Secret, access_keys: Vec<AccessKey>, rights: Rights) {
        let named = Named::derived("user", &[&self.domain.name, name]);
        self.users.push(Arc::new(User { named, password, access_keys, rights }));
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

impl Rights {
    /// All of them.
    pub fn everything() -> Self {
        let all = Statement { effect: Effect::Allow, actions: vec!["*:*:*".to_owned()] };
        Rights { statements: vec![all], read_only: false }
    }

    /// Whether `action` may be done, which `changes` something or does not.
    pub fn decide(&self, action: &str, changes: bool) -> Decision {
        if self.read_only && changes {
            return Decision::ReadOnly;
        }
        let says = |effect| {
            self.statements.iter().any(|statement| {
                statement.effect == effect
                    && statement.actions.iter().any(|pattern| pattern_covers(pattern, action))
            })
        };
        if says(Effect::Allow) && !says(Effect::Deny) { Decision::Allowed } else { Decision::Denied }
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

fn pattern_covers(pattern: &str, action: &str) -> bool {
    let (mut patterns, mut parts) = (pattern.split(':'), action.split(':'));
    loop {
        match (patterns.next(), parts.next()) {
            (None, None) => return true,
            (Some(pattern), Some(part)) => {
                let fits = match pattern.strip_suffix('*') {
                    Some(start) => part.starts_with(start),
                    None => pattern == part,
                };
                if !fits {
                    return false;
                }
            }
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rights(statements: &[(Effect, &str)]) -> Rights {
        let statements = statements
            .iter()
            .map(|(effect, action)| Statement { effect: *effect, actions: vec![(*action).to_owned()] })
            .collect();
        Rights { statements, read_only: false }
    }

    #[test]
    fn policies_allow_and_deny() {
        use Effect::{Allow, Deny};
        let cases: [(&[(Effect, &str)], Decision); 8] = [
            (&[], Decision::Denied),
            (&[(Allow, "*:*:*")], Decision::Allowed),
            (&[(Allow, "dcs:instance:get")], Decision::Allowed),
            (&[(Allow, "dcs:instance:get*")], Decision::Allowed),
            (&[(Allow, "dcs:instance:list")], Decision::Denied),
            (&[(Allow, "dcs:*")], Decision::Denied),
            (&[(Allow, "dcs:*:*"), (Deny, "dcs:instance:*")], Decision::Denied),
            (&[(Allow, "dcs:*:*"), (Deny, "dcs:instance:list")], Decision::Allowed),
        ];
        for (statements, expected) in cases {
            assert_eq!(rights(statements).decide("dcs:instance:get", false), expected, "{statements:?}");
        }
    }

    #[test]
    fn a_reader_changes_nothing() {
        let reader = Rights { read_only: true, ..Rights::everything() };
        assert_eq!(reader.decide("dcs:instance:get", false), Decision::Allowed);
        assert_eq!(reader.decide("dcs:instance:create", true), Decision::ReadOnly);
    }

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
