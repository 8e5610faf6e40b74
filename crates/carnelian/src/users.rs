//! The users of the configuration: their passwords and keys, and what they may do.
//!
//! A user is a table: `password`, `access-key` with `secret-key`, `read-only`, and what policies say: `policies` by their
//! names, and `allow` and `deny` with actions such as `dcs:instance:get*`. What is denied is denied, whatever else allows
//! it, and what nothing allows is denied as well.
//!
//! Deliberately not here: the administrator, who has options of their own, and groups.

use std::collections::BTreeMap;

use cloud::identity::{AccessKey, Directory, Effect, Rights, Secret, Statement};
use toml::{Table, Value};

/// Users as the configuration has them, by their names.
pub(crate) type Users = BTreeMap<String, User>;

/// Policies as the configuration has them, by their names.
pub(crate) type Policies = BTreeMap<String, Policy>;

/// A user.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct User {
    password: String,
    access_key: Option<(String, String)>,
    read_only: bool,
    policies: Vec<String>,
    own: Policy,
}

/// What may be done and what may not.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Policy {
    allow: Vec<String>,
    deny: Vec<String>,
}

/// The policies that every account has: their names and what they allow.
const SYSTEM_POLICIES: [(&str, &[&str]); 2] =
    [("DCS FullAccess", &["dcs:*:*"]), ("DCS ReadOnlyAccess", &["dcs:*:get*", "dcs:*:list*"])];

/// Reads a table of users.
pub(crate) fn users(text: &str) -> Option<Users> {
    entries(text)?.into_iter().map(|(name, table)| Some((name, user(table)?))).collect()
}

/// Reads a table of policies.
pub(crate) fn policies(text: &str) -> Option<Policies> {
    let policy = |mut table: Table| {
        let policy = Policy::taken_from(&mut table)?;
        table.is_empty().then_some(policy)
    };
    entries(text)?.into_iter().map(|(name, table)| Some((name, policy(table)?))).collect()
}

/// Adds the users to an account.
///
/// # Errors
/// What contradicts itself, in a sentence.
pub(crate) fn add(directory: &mut Directory, users: &Users, policies: &Policies) -> Result<(), String> {
    for (name, user) in users {
        if directory.user(name).is_some() {
            return Err(format!("users.{name} is the name of the administrator; choose another"));
        }
        if let Some((id, _)) = &user.access_key
            && directory.access_key(id).is_some()
        {
            return Err(format!("users.{name} has the access key of another user; choose another"));
        }
        let mut statements = user.own.statements();
        for wanted in &user.policies {
            let system = SYSTEM_POLICIES.iter().find(|(name, _)| name == wanted);
            match (policies.get(wanted), system) {
                (Some(policy), _) => statements.extend(policy.statements()),
                (None, Some((_, allowed))) => {
                    let actions = allowed.iter().map(|action| (*action).to_owned()).collect();
                    statements.push(Statement { effect: Effect::Allow, actions });
                }
                (None, None) => {
                    return Err(format!(
                        "users.{name} has the policy {wanted:?}, which there is not; describe it in policies"
                    ));
                }
            }
        }
        let keys = user.access_key.iter();
        let keys = keys.map(|(id, secret)| AccessKey { id: id.clone(), secret: Secret::new(secret) });
        let rights = Rights { statements, read_only: user.read_only };
        directory.add_user(name, Secret::new(&user.password), keys.collect(), rights);
    }
    Ok(())
}

fn user(mut table: Table) -> Option<User> {
    let own = Policy::taken_from(&mut table)?;
    let keys = (text(&mut table, "access-key")?, text(&mut table, "secret-key")?);
    let user = User {
        password: text(&mut table, "password")??,
        access_key: match keys {
            (None, None) => None,
            (id, secret) => Some((id.filter(|id| is_key(id))?, secret?)),
        },
        read_only: match table.remove("read-only") {
            None => false,
            Some(value) => value.as_bool()?,
        },
        policies: texts(&mut table, "policies")?,
        own,
    };
    table.is_empty().then_some(user)
}

impl Policy {
    /// The policy in a table, which does not have it afterwards.
    fn taken_from(table: &mut Table) -> Option<Policy> {
        let policy = Policy { allow: texts(table, "allow")?, deny: texts(table, "deny")? };
        let actions = policy.allow.iter().chain(&policy.deny);
        actions.into_iter().all(|action| is_action(action)).then_some(policy)
    }

    fn statements(&self) -> Vec<Statement> {
        let statement = |effect, actions: &Vec<String>| Statement { effect, actions: actions.clone() };
        vec![statement(Effect::Allow, &self.allow), statement(Effect::Deny, &self.deny)]
    }
}

/// The tables in a table.
fn entries(text: &str) -> Option<Vec<(String, Table)>> {
    if text.is_empty() {
        return Some(Vec::new());
    }
    let whole: Table = format!("all = {text}").parse().ok()?;
    let all = whole.get("all")?.as_table()?;
    all.iter().map(|(name, value)| Some((name.clone(), value.as_table()?.clone()))).collect()
}

/// A text that may be left out; nothing if it is something else, or empty.
#[allow(clippy::option_option)]
fn text(table: &mut Table, name: &str) -> Option<Option<String>> {
    match table.remove(name) {
        None => Some(None),
        Some(Value::String(text)) if !text.is_empty() => Some(Some(text)),
        Some(_) => None,
    }
}

/// An array of texts that may be left out.
fn texts(table: &mut Table, name: &str) -> Option<Vec<String>> {
    match table.remove(name) {
        None => Some(Vec::new()),
        Some(Value::Array(items)) => items.iter().map(|item| item.as_str().map(str::to_owned)).collect(),
        Some(_) => None,
    }
}

/// Whether a text can be sent as the public half of a key.
fn is_key(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b',' | b';'))
}

/// Whether a text is an action: a service, a resource and what is done with it, each of which may end in `*`.
fn is_action(text: &str) -> bool {
    let parts: Vec<_> = text.split(':').collect();
    let fits = |part: &&str| !part.is_empty() && !part.trim_end_matches('*').contains('*');
    parts.len() == 3 && parts.iter().all(fits)
}

#[cfg(test)]
mod tests {
    use cloud::identity::{Decision, Named};

    use super::*;

    fn directory() -> Directory {
        let key = AccessKey { id: "admin-key".to_owned(), secret: Secret::new("s") };
        let project = Named::derived("project", &["d", "p"]);
        Directory::with_administrator("d", "r", project, "admin", Secret::new("s"), key)
    }

    #[test]
    fn users_have_the_rights_of_their_policies_and_their_own() {
        let all = users(
            r#"{ reader = { password = "x", policies = ["DCS ReadOnlyAccess"] },
                 maker = { password = "y", access-key = "AK", secret-key = "SK", policies = ["makers"], deny = ["dcs:instance:delete"] },
                 tenant = { password = "z", read-only = true, allow = ["*:*:*"] } }"#,
        )
        .unwrap();
        let policies =
            policies(r#"{ makers = { allow = ["dcs:instance:*"], deny = ["dcs:instance:scale"] } }"#)
                .unwrap();
        let mut directory = directory();
        add(&mut directory, &all, &policies).unwrap();
        let decide =
            |name: &str, action: &str, changes| directory.user(name).unwrap().rights.decide(action, changes);
        assert_eq!(decide("reader", "dcs:instance:getConfiguration", false), Decision::Allowed);
        assert_eq!(decide("reader", "dcs:instance:create", true), Decision::Denied);
        assert_eq!(decide("maker", "dcs:instance:create", true), Decision::Allowed);
        assert_eq!(decide("maker", "dcs:instance:delete", true), Decision::Denied);
        assert_eq!(decide("maker", "dcs:instance:scale", true), Decision::Denied);
        assert_eq!(decide("tenant", "dcs:instance:list", false), Decision::Allowed);
        assert_eq!(decide("tenant", "dcs:instance:create", true), Decision::ReadOnly);
        assert_eq!(directory.access_key("AK").unwrap().0.named.name, "maker");
        assert!(directory.user("reader").unwrap().password.is("x"));
    }

    #[test]
    fn what_is_no_user_or_no_policy_is_refused() {
        for bad in [
            "x",
            "[1]",
            "{ a = 1 }",
            "{ a = {} }",
            r#"{ a = { password = "" } }"#,
            r#"{ a = { password = "x", colour = "red" } }"#,
            r#"{ a = { password = "x", access-key = "k" } }"#,
            r#"{ a = { password = "x", access-key = "a,b", secret-key = "s" } }"#,
            r#"{ a = { password = "x", read-only = "yes" } }"#,
            r#"{ a = { password = "x", allow = ["dcs"] } }"#,
            r#"{ a = { password = "x", deny = ["dcs:*x:get"] } }"#,
        ] {
            assert_eq!(users(bad), None, "{bad}");
        }
        assert_eq!(policies(r#"{ a = { allow = ["dcs:*:*"], password = "x" } }"#), None);
    }

    #[test]
    fn names_keys_and_policies_are_no_others() {
        for (text, expected) in [
            (r#"{ admin = { password = "x" } }"#, "the name of the administrator"),
            (
                r#"{ a = { password = "x", access-key = "admin-key", secret-key = "s" } }"#,
                "the access key of another",
            ),
            (r#"{ a = { password = "x", policies = ["none"] } }"#, "the policy \"none\", which there is not"),
        ] {
            let said = add(&mut directory(), &users(text).unwrap(), &Policies::new()).unwrap_err();
            assert!(said.contains(expected), "{said}");
        }
    }
}
