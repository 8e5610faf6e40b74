//! Who may use a node.

use std::hint::black_box;
use structures::ranked::RwLock;

/// A name and its password.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The name; empty for any.
    pub user: String,
    /// The password.
    pub password: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("user", &self.user).finish_non_exhaustive()
    }
}

/// Those who may use a node: everybody, or whoever has credentials.
#[derive(Debug, Default)]
pub struct Access(RwLock<Vec<Credentials>>);

impl Access {
    /// Only these may use it; everybody if there are none.
    pub fn new(credentials: Vec<Credentials>) -> Self {
        Access(RwLock::new(credentials))
    }

    /// The same from now on. Who has logged in stays.
    pub fn set(&self, credentials: Vec<Credentials>) {
        *self.0.write() = credentials;
    }

    /// Whether one has to log in.
    pub fn is_restricted(&self) -> bool {
        !self.0.read().is_empty()
    }

    /// Whether these are somebody's name and password.
    pub fn admits(&self, user: &[u8], password: &[u8]) -> bool {
        let all = self.0.read();
        // All are compared, so that it does not tell which of them was nearly right.
        all.iter().fold(false, |admitted, own| {
            let is_user = own.user.is_empty() || same(own.user.as_bytes(), user);
            admitted | (is_user & same(own.password.as_bytes(), password))
        })
    }
}

/// Whether two are equal; how long it takes does not tell where they differ.
fn same(a: &[u8], b: &[u8]) -> bool {
    let differ = a.iter().zip(b).fold(0, |differ, (a, b)| black_box(differ | (a ^ b)));
    differ == 0 && a.len() == b.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_passwords_belong_together() {
        let one = |user: &str, password: &str| Credentials { user: user.into(), password: password.into() };
        let access = Access::new(vec![one("a", "x"), one("b", "y")]);
        assert!(access.is_restricted() && access.admits(b"a", b"x") && access.admits(b"b", b"y"));
        for (user, password) in [("a", "y"), ("a", ""), ("", "x"), ("c", "x"), ("a", "xx")] {
            assert!(!access.admits(user.as_bytes(), password.as_bytes()), "{user} {password}");
        }
        access.set(vec![one("", "z")]);
        assert!(access.admits(b"anybody", b"z") && !access.admits(b"a", b"x"));
        access.set(Vec::new());
        assert!(!access.is_restricted());
    }
}
