//! User tokens: what a caller got for a password, and shows with each request.
//!
//! A token says itself whom it is for and how long, and is sealed with a key that follows from the user's password
//! and access keys. So tokens need no memory here, outlive a restart, and end with the password that they were
//! given for.
//!
//! Invariants:
//! - A token that was not sealed here is [`Refused::Invalid`], whatever it says.
//! - Deliberately not here: taking a token back before its time.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cloud::identity::{Caller, Directory, User};
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

/// How long a token is valid (DCS API Reference, 3.2): 24 hours.
pub(crate) const VALIDITY_MS: u64 = 24 * 60 * 60 * 1000;

/// What a token says.
#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    /// The user's id.
    user: String,
    /// The id of the project that it is for; one for the account, or for nothing, has none.
    project: Option<String>,
    /// When it ends.
    expires_ms: u64,
}

/// Why a token proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// It was not sealed here, or its user or project is gone.
    Invalid,
    /// Its time is over.
    Expired,
}

/// A new token for `caller`, valid from now on.
pub(crate) fn issue(caller: &Caller, now_ms: u64) -> String {
    let claims = Claims {
        user: caller.user.named.id.clone(),
        project: caller.project.as_ref().map(|project| project.id.clone()),
        expires_ms: now_ms + VALIDITY_MS,
    };
    let claims = serde_json::to_vec(&claims).expect("claims are texts and a number");
    let seal = seal(&caller.user, &claims).finalize().into_bytes();
    format!("{}.{}", URL_SAFE_NO_PAD.encode(claims), URL_SAFE_NO_PAD.encode(seal))
}

/// Whom `token` is for.
pub(crate) fn verify(token: &str, directory: &Directory, now_ms: u64) -> Result<Caller, Refused> {
    let (claims, user) = open(token, directory).ok_or(Refused::Invalid)?;
    if now_ms >= claims.expires_ms {
        return Err(Refused::Expired);
    }
    let project = match claims.project {
        None => None,
        Some(id) => {
            let project = directory.projects.iter().find(|project| project.id == id);
            Some(project.ok_or(Refused::Invalid)?.clone())
        }
    };
    Ok(Caller { user, project })
}

fn open(token: &str, directory: &Directory) -> Option<(Claims, Arc<User>)> {
    let (claims, seal_sent) = token.split_once('.')?;
    let (claims, seal_sent) = (URL_SAFE_NO_PAD.decode(claims).ok()?, URL_SAFE_NO_PAD.decode(seal_sent).ok()?);
    let said: Claims = serde_json::from_slice(&claims).ok()?;
    let user = directory.users.iter().find(|user| user.named.id == said.user)?;
    seal(user, &claims).verify_slice(&seal_sent).ok()?;
    Some((said, user.clone()))
}

fn seal(user: &User, claims: &[u8]) -> Hmac<Sha256> {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(user.password.reveal().as_bytes()).expect("HMAC takes any key");
    for key in &user.access_keys {
        mac.update(key.secret.reveal().as_bytes());
        mac.update(&[0]);
    }
    mac.update(claims);
    mac
}

#[cfg(test)]
mod tests {
    use cloud::identity::{AccessKey, Named, Secret};

    use super::*;

    fn directory(password: &str) -> Directory {
        let project = Named::derived("project", &["demo", "my-kualalumpur-1"]);
        let key = AccessKey { id: "AK".to_owned(), secret: Secret::new("SK") };
        Directory::with_administrator("demo", "my-kualalumpur-1", project, "user", Secret::new(password), key)
    }

    fn token(directory: &Directory, scoped: bool) -> String {
        let project = scoped.then(|| directory.projects[0].clone());
        issue(&Caller { user: directory.users[0].clone(), project }, 1_000)
    }

    #[test]
    fn a_token_says_whom_it_is_for() {
        let directory = directory("secret");
        let caller = verify(&token(&directory, true), &directory, 1_000).unwrap();
        assert_eq!(caller.user.named.name, "user");
        assert_eq!(caller.project, Some(directory.projects[0].clone()));
        assert_eq!(verify(&token(&directory, false), &directory, 1_000).unwrap().project, None);
    }

    #[test]
    fn a_token_ends_after_24_hours() {
        let directory = directory("secret");
        let token = token(&directory, true);
        assert!(verify(&token, &directory, 1_000 + VALIDITY_MS - 1).is_ok());
        assert_eq!(verify(&token, &directory, 1_000 + VALIDITY_MS).unwrap_err(), Refused::Expired);
    }

    #[test]
    fn what_was_not_sealed_here_is_invalid() {
        let directory = directory("secret");
        let good = token(&directory, true);
        let (claims, seal) = good.split_once('.').unwrap();
        let mut forged: Claims = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
        forged.expires_ms += 1;
        let forged = URL_SAFE_NO_PAD.encode(serde_json::to_vec(&forged).unwrap());
        for bad in ["", ".", "x", claims, &format!("{forged}.{seal}"), &format!("{claims}."), "%.%"] {
            assert_eq!(verify(bad, &directory, 1_000).unwrap_err(), Refused::Invalid, "{bad}");
        }
    }

    #[test]
    fn a_token_ends_with_the_password_and_with_the_project() {
        let token = token(&directory("secret"), true);
        assert_eq!(verify(&token, &directory("other"), 1_000).unwrap_err(), Refused::Invalid);
        let mut without = directory("secret");
        without.projects.clear();
        assert_eq!(verify(&token, &without, 1_000).unwrap_err(), Refused::Invalid);
    }
}
