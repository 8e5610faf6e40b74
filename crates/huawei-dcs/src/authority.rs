//! Who calls: the one place that turns a request's credentials into a caller.
//!
//! A request shows a token (`X-Auth-Token`) or is signed (`Authorization: SDK-HMAC-SHA256 ...`). Where both are sent
//! the token counts.
//!
//! Deliberately not here: which error answers what. IAM and DCS have their own.

use std::sync::Arc;

use cloud::clock::Clock;
use cloud::identity::{Caller, Directory, User};
use operation::Call;

use crate::signature::{self, Signed};
use crate::token::{self, Refused};

/// Knows the account and tells its callers from others.
pub(crate) struct Authority {
    directory: Directory,
    clock: Arc<dyn Clock>,
}

/// What credentials prove.
#[derive(Debug)]
pub(crate) enum Proof {
    /// A user, and the project that the token is for.
    Token(Caller),
    /// A user, who may name any project of the account.
    Signature(Arc<User>),
    /// Nothing: credentials are not looked at.
    Nothing(Caller),
}

/// Why credentials prove nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unproven {
    /// There are none.
    Missing,
    /// They are wrong.
    Wrong,
    /// The token's time is over.
    Expired,
}

impl Authority {
    pub(crate) fn new(directory: Directory, clock: Arc<dyn Clock>) -> Self {
        Authority { directory, clock }
    }

    pub(crate) fn directory(&self) -> &Directory {
        &self.directory
    }

    /// The cloud's time.
    pub(crate) fn now_ms(&self) -> u64 {
        self.clock.now_ms()
    }

    /// What the credentials of `call` prove.
    pub(crate) fn prove(&self, call: &Call) -> Result<Proof, Unproven> {
        if let Some(anyone) = self.directory.anyone(None) {
            return Ok(Proof::Nothing(anyone));
        }
        if let Some(token) = call.header("x-auth-token").filter(|token| !token.is_empty()) {
            return match token::verify(token, &self.directory, self.now_ms()) {
                Ok(caller) => Ok(Proof::Token(caller)),
                Err(Refused::Invalid) => Err(Unproven::Wrong),
                Err(Refused::Expired) => Err(Unproven::Expired),
            };
        }
        if call.header("authorization").is_some_and(|header| header.starts_with(signature::ALGORITHM)) {
            return self.prove_signature(call);
        }
        Err(Unproven::Missing)
    }

    fn prove_signature(&self, call: &Call) -> Result<Proof, Unproven> {
        let wrong = |reason: &dyn std::fmt::Debug| {
            tracing::warn!(path = %call.path, ?reason, "a signed request is refused");
            Unproven::Wrong
        };
        let signed = Signed::read(call).map_err(|mismatch| wrong(&mismatch))?;
        let Some((user, key)) = self.directory.access_key(signed.access_key) else {
            return Err(wrong(&"unknown access key"));
        };
        signed
            .verify(call, key.secret.reveal(), self.clock.machine_ms())
            .map_err(|mismatch| wrong(&mismatch))?;
        Ok(Proof::Signature(user.clone()))
    }
}

impl Proof {
    /// The caller, without a project where the credentials name none.
    pub(crate) fn into_caller(self) -> Caller {
        match self {
            Proof::Token(caller) | Proof::Nothing(caller) => caller,
            Proof::Signature(user) => Caller { user, project: None },
        }
    }

    /// The caller, if the credentials are good for the project of this id.
    pub(crate) fn for_project(self, id: &str, directory: &Directory) -> Option<Caller> {
        match self {
            Proof::Token(caller) => {
                let fits = caller.project.as_ref().is_some_and(|project| project.id == id);
                fits.then_some(caller)
            }
            Proof::Nothing(_) => directory.anyone(Some(id)),
            Proof::Signature(user) => {
                let project = directory.projects.iter().find(|project| project.id == id)?;
                Some(Caller { user, project: Some(project.clone()) })
            }
        }
    }
}
