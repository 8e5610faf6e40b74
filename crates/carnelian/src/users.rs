//! The users of the configuration: their passwords and keys, the groups that they are in, and what they may do.
//!
//! A user is a table: `password`, `access-key` with `secret-key`, `read-only`, `groups` by their names, and what a policy says:
//! `policies` by their names, and `allow`, `deny` and `document` of the user's own ([`crate::policies`]). A group is a table of
//! the latter. A user has all that its groups have.
//!
//! Deliberately not here: the administrator, who has options of their own.

use std::collections::BTreeMap;

use cloud::identity::{AccessKey, Directory, Secret};
use cloud::policy::{Rights, Statement};
use toml::{Table, Value};

use crate::policies::{self, Policies, Policy};

/// Users as the configuration has them, by their names.
pub(crate) type Users = BTreeMap<String, User>;

/// Groups as the configuration has them, by their names.
pub(crate) type Groups = BTreeMap<String, Grants>;

/// A user.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct User {
    password: String,
    access_key: Option<(String, String)>,
    read_only: bool,
    groups: Vec<String>,
    grants: Grants,
}

/// What somebody may do: what policies say, by their names, and what one of its own says.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Grants {
    policies: Vec<String>,
    own: Policy,
}

/// Reads a table of users.
pub(crate) fn users(text: &str) -> Option<Users> {
    entries(text)?.into_iter().map(|(name, table)| Some((name, user(table)?))).collect()
}

/// Reads a table of groups.
pub(crate) fn groups(text: &str) -> Option<Groups> {
    let group = |mut table: Table| {
        let grants = Grants::taken_from(&mut table)?;
        table.is_empty().then_some(grants)
    };
    entries(text)?.into_iter().map(|(name, table)| Some((name, group(table)?))).collect()
}

/// Adds the users to an account.
///
/// # Errors
/// What contradicts itself or is not understood, in a sentence; also of groups and policies that nobody has.
pub(crate) fn add(
    directory: &mut Directory,
    users: &Users,
    groups: &Groups,
    policies: &Policies,
) -> Result<(), String> {
    for (name, policy) in policies {
        policy.statements(&format!("policies.{name}"))?;
    }
    let mut of_groups = BTreeMap::new();
    for (name, grants) in groups {
        of_groups.insert(name, grants.statements(policies, &format!("groups.{name}"))?);
    }
    for (name, user) in users {
        if directory.user(name).is_some() {
            return Err(format!("users.{name} is the name of the administrator; choose another"));
        }
        if let Some((id, _)) = &user.access_key
            && directory.access_key(id).is_some()
        {
            return Err(format!("users.{name} has the access key of another user; choose another"));
        }
        let mut statements = user.grants.statements(policies, &format!("users.{name}"))?;
        for wanted in &user.groups {
            let Some(group) = of_groups.get(wanted) else {
                return Err(format!(
                    "users.{name} is in the group {wanted:?}, which there is not; describe it in groups"
                ));
            };
            statements.extend_from_slice(group);
        }
        let keys = user.access_key.iter();
        let keys = keys.map(|(id, secret)| AccessKey { id: id.clone(), secret: Secret::new(secret) });
        let rights = Rights { statements, read_only: user.read_only };
        directory.add_user(name, Secret::new(&user.password), keys.collect(), rights);
    }
    Ok(())
}

impl Grants {
    /// The grants in a table, which does not have them afterwards.
    fn taken_from(table: &mut Table) -> Option<Grants> {
        Some(Grants { policies: texts(table, "policies")?, own: Policy::taken_from(table)? })
    }

    fn statements(&self, policies: &Policies, whose: &str) -> Result<Vec<Statement>, String> {
        let mut statements = self.own.statements(whose)?;
        statements.extend(policies::statements(&self.policies, policies, whose)?);
        Ok(statements)
    }
}

fn user(mut table: Table) -> Option<User> {
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
        groups: texts(&mut table, "groups")?,
        grants: Grants::taken_from(&mut table)?,
    };
    table.is_empty().then_some(user)
}

/// The tables in a table.
pub(crate) fn entries(text: &str) -> Option<Vec<(String, Table)>> {
    if text.is_empty() {
        return Some(Vec::new());
    }
    let whole: Table = format!("all = {text}").parse().ok()?;
    let all = whole.get("all")?.as_table()?;
    all.iter().map(|(name, value)| Some((name.clone(), value.as_table()?.clone()))).collect()
}

/// A text that may be left out; nothing if it is something else, or empty.
#[allow(clippy::option_option)]
pub(crate) fn text(table: &mut Table, name: &str) -> Option<Option<String>> {
    match table.remove(name) {
        None => Some(None),
        Some(Value::String(text)) if !text.is_empty() => Some(Some(text)),
        Some(_) => None,
    }
}

/// An array of texts that may be left out.
pub(crate) fn texts(table: &mut Table, name: &str) -> Option<Vec<String>> {
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

#[cfg(test)]
mod tests {
    use cloud::identity::{Caller, Named};
    use cloud::policy::{Asked, Decision};

    use super::*;
    use crate::policies::policies;

    fn directory() -> Directory {
        let key = AccessKey { id: "admin-key".to_owned(), secret: Secret::new("s") };
        let project = Named::derived("project", &["d", "p"]);
        Directory::with_administrator("d", "r", project, "admin", Secret::new("s"), key)
    }

    fn decide(directory: &Directory, name: &str, action: &str, changes: bool, instance: &str) -> Decision {
        let caller = Caller { user: directory.user(name).unwrap().clone(), project: None };
        let instances = [instance.to_owned()];
        let instances = if instance.is_empty() { &[][..] } else { &instances };
        caller.user.rights.decide(&Asked { caller: &caller, action, changes, instances, now_ms: 0 })
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
        add(&mut directory, &all, &Groups::new(), &policies).unwrap();
        let decide = |name: &str, action: &str, changes| decide(&directory, name, action, changes, "");
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
    fn users_have_the_rights_of_their_groups() {
        let groups = groups(
            r#"{ operators = { policies = ["DCS UserAccess"] },
                 owners = { policies = ["of one"] },
                 idle = { policies = ["DCS FullAccess"] } }"#,
        )
        .unwrap();
        let policies = policies(
            r#"{ "of one" = { document = '{"Version": "1.1", "Statement": [{"Effect": "Allow", "Action": ["dcs:*:*"], "Resource": ["DCS:*:*:instance:own"]}]}' } }"#,
        )
        .unwrap();
        let all = users(
            r#"{ operator = { password = "x", groups = ["operators"] },
                 owner = { password = "x", groups = ["owners"] },
                 both = { password = "x", groups = ["owners", "operators"] },
                 nobody = { password = "x" } }"#,
        )
        .unwrap();
        let mut directory = directory();
        add(&mut directory, &all, &groups, &policies).unwrap();
        for (name, action, instance, is_allowed) in [
            ("operator", "dcs:instance:modifyStatus", "other", true),
            ("operator", "dcs:instance:list", "", true),
            ("operator", "dcs:instance:delete", "other", false),
            ("operator", "dcs:instance:create", "", false),
            ("owner", "dcs:instance:delete", "own", true),
            ("owner", "dcs:instance:delete", "other", false),
            ("owner", "dcs:instance:list", "", false),
            ("both", "dcs:instance:restoreData", "other", true),
            ("both", "dcs:instance:delete", "own", false),
            ("nobody", "dcs:instance:get", "own", false),
        ] {
            let decided = decide(&directory, name, action, true, instance) == Decision::Allowed;
            assert_eq!(decided, is_allowed, "{name} {action} {instance}");
        }
    }

    #[test]
    fn what_is_no_user_no_group_or_no_policy_is_refused() {
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
            r#"{ a = { password = "x", groups = "b" } }"#,
            r#"{ a = { password = "x", allow = ["dcs"] } }"#,
            r#"{ a = { password = "x", deny = ["dcs:*x:get"] } }"#,
        ] {
            assert_eq!(users(bad), None, "{bad}");
        }
        assert_eq!(groups(r#"{ a = { password = "x" } }"#), None);
        assert_eq!(groups(r#"{ a = { groups = ["b"] } }"#), None);
        assert_eq!(policies(r#"{ a = { allow = ["dcs:*:*"], password = "x" } }"#), None);
        assert_eq!(policies(r#"{ a = { policies = ["b"] } }"#), None);
    }

    #[test]
    fn names_keys_groups_and_policies_are_no_others() {
        for (text, expected) in [
            (r#"{ admin = { password = "x" } }"#, "the name of the administrator"),
            (
                r#"{ a = { password = "x", access-key = "admin-key", secret-key = "s" } }"#,
                "the access key of another",
            ),
            (r#"{ a = { password = "x", policies = ["none"] } }"#, "the policy \"none\", which there is not"),
            (r#"{ a = { password = "x", groups = ["none"] } }"#, "the group \"none\", which there is not"),
            (r#"{ a = { password = "x", document = "{}" } }"#, "users.a.document: Version is"),
        ] {
            let users = users(text).unwrap();
            let said = add(&mut directory(), &users, &Groups::new(), &Policies::new()).unwrap_err();
            assert!(said.contains(expected), "{said}");
        }
        let bad = policies(r#"{ b = { document = "[]" } }"#).unwrap();
        let said = add(&mut directory(), &Users::new(), &Groups::new(), &bad).unwrap_err();
        assert_eq!(said, "policies.b.document: it is no JSON object");
        let bad = groups(r#"{ c = { policies = ["none"] } }"#).unwrap();
        let said = add(&mut directory(), &Users::new(), &bad, &Policies::new()).unwrap_err();
        assert!(said.starts_with("groups.c has the policy \"none\""), "{said}");
    }
}
