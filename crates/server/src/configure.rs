//! Other values for the parameters of nodes that run, all of them or none.
//!
//! Whoever owns a node says so, and no client has a part in it: names of commands and who may do what do not matter.

use crate::hold::hold;
use engine::Node;
use engine::configuration::{BadParameter, Draft};
use engine::parameter::Settable;
use std::sync::Arc;

/// Parameters and their values.
pub type Values = Vec<(String, String)>;

/// Brings values into force on each of the nodes: if one of them cannot take them, on none.
///
/// # Errors
/// [`BadParameter`]
pub(crate) async fn configure(nodes: &[(Arc<Node>, Values)]) -> Result<(), BadParameter> {
    for (node, values) in nodes {
        draft(node, values)?;
    }
    for (node, values) in nodes {
        let mut held = hold(node).await;
        // Clients may have changed others meanwhile.
        let (draft, rows) = draft(node, values)?;
        node.configure(&mut held, draft, &rows);
    }
    Ok(())
}

/// The same values for all of these nodes.
pub(crate) fn alike(nodes: impl IntoIterator<Item = Arc<Node>>, values: &Values) -> Vec<(Arc<Node>, Values)> {
    nodes.into_iter().map(|node| (node, values.clone())).collect()
}

/// Puts values in the place of those with which nodes start that are still to come.
pub(crate) fn put(config: &mut Values, values: &Values) {
    config.retain(|(name, _)| !values.iter().any(|(new, _)| new.eq_ignore_ascii_case(name)));
    config.extend(values.iter().cloned());
}

fn draft(node: &Node, values: &Values) -> Result<(Draft, Vec<usize>), BadParameter> {
    let parameters = node.configuration.parameters();
    let (mut draft, mut rows) = (node.configuration.draft(), Vec::new());
    for (name, value) in values {
        let bad = |reason: String| BadParameter { name: name.clone(), reason };
        let found = parameters.find(name.as_bytes());
        let (_, number) = found.ok_or_else(|| bad("is no parameter of the node's release".to_owned()))?;
        match parameters.row(number).parameter.settable {
            Settable::Since(version) if node.release.has(version) => {}
            _ => return Err(bad("cannot be set while the node runs".to_owned())),
        }
        draft.set(number, value.as_bytes()).map_err(|error| bad(format!("cannot be {value:?}: {error}")))?;
        rows.push(number);
    }
    Ok((draft, rows))
}
