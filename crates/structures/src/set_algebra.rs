//! Intersections, unions and differences of sets.
//!
//! Which representation a result has depends on what was put into it on the way, so results are made as Redis makes
//! them, step by step.

use crate::entry::Object;
use crate::packed::{Item, Packed};
use crate::set::{Limits, Set};
use std::ops::ControlFlow;

/// Visits the members that all sets have, in the order of the smallest set; `visit` may end it. The sets are put in order
/// of size.
pub fn intersect(sets: &mut [&Set], mut visit: impl FnMut(Item<'_>) -> ControlFlow<()>) {
    sets.sort_by_key(|set| set.len());
    let Some((smallest, others)) = sets.split_first() else { return };
    smallest.any(|item| others.iter().all(|set| set.contains_item(item)) && visit(item).is_break());
}

/// The intersection as a set. Its members are collected in a packed list first, as from release 7.2 on, if `packs`.
pub fn intersection(sets: &mut [&Set], packs: bool, limits: &Limits) -> Set {
    sets.sort_by_key(|set| set.len());
    let collects = packs && !matches!(sets.first(), Some(Set::Ints(_)));
    let mut result = if collects { Set::Packed(Packed::new()) } else { Set::empty() };
    intersect(sets, |item| {
        result.add_item(item, limits);
        ControlFlow::Continue(())
    });
    if collects {
        result.narrow(limits);
    }
    result
}

/// The union.
pub fn union(sets: &[&Set], limits: &Limits) -> Set {
    let mut result = Set::empty();
    for set in sets {
        set.for_each(|item| {
            result.add_item(item, limits);
        });
    }
    result
}

/// Two ways to a difference, and the work that each makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// Every member of the first set is looked up in the others.
    LookUp,
    /// All members of the first set are taken, and those of the others away again.
    TakeAway,
}

/// The way to a difference, and its work: about so many members are looked at.
fn way(first: &Set, others: &[&Set]) -> (Way, usize) {
    let look_up = first.len().saturating_mul(1 + others.len());
    let take_away = first.len() + others.iter().map(|set| set.len()).sum::<usize>();
    // Looking up is worth more work: it stops at the first set that has the member.
    if look_up / 2 <= take_away { (Way::LookUp, look_up) } else { (Way::TakeAway, take_away) }
}

/// How many members are looked at for a difference.
pub fn difference_work(first: &Set, others: &[&Set]) -> usize {
    way(first, others).1
}

/// The members of the first set that no other has.
pub fn difference(first: &Set, others: &mut [&Set], limits: &Limits) -> Set {
    let mut result = Set::empty();
    match way(first, others).0 {
        Way::LookUp => {
            // The largest are the likeliest to have it.
            others.sort_by_key(|set| std::cmp::Reverse(set.len()));
            first.for_each(|item| {
                if !others.iter().any(|set| set.contains_item(item)) {
                    result.add_item(item, limits);
                }
            });
        }
        Way::TakeAway => {
            result = union(&[first], limits);
            for set in others {
                if result.is_empty() {
                    break;
                }
                set.for_each(|item| {
                    item.with_bytes(|bytes| result.remove(bytes));
                });
            }
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    const LIMITS: Limits = Limits { ints: 8, packed_entries: 12, packed_value: 10, seed: 1 };
    const NO_PACKED: Limits = Limits { packed_entries: 0, ..LIMITS };

    type Model = BTreeSet<Vec<u8>>;

    fn set(members: &Model, limits: &Limits) -> Set {
        members.iter().fold(Set::empty(), |mut set, member| {
            set.add(member, limits);
            set
        })
    }

    fn members(set: &Set) -> Model {
        set.check_invariants();
        let mut members = Model::new();
        set.for_each(|item| assert!(members.insert(item.to_bytes().into_owned())));
        members
    }

    fn of(text: &str) -> Set {
        set(&text.split(' ').map(|word| word.as_bytes().to_vec()).collect(), &NO_PACKED)
    }

    #[test]
    fn the_way_to_a_difference_shows_in_its_representation() {
        // As observed on redis 7.0: the text that is taken away leaves a table behind.
        let (first, x) = (of("1 2 3 4 5 6 x"), of("x"));
        assert!(matches!(difference(&first, &mut [&x], &NO_PACKED), Set::Ints(_)));
        assert!(matches!(difference(&first, &mut [&x, &x], &NO_PACKED), Set::Table(_)));
        assert_eq!(difference_work(&first, &[&x]), 14);
        assert_eq!(difference_work(&first, &[&x, &x]), 9);
    }

    #[test]
    fn an_intersection_of_integers_is_one_of_integers() {
        let (mixed, more) = (of("7 3 x"), of("3 7 y z"));
        for packs in [false, true] {
            assert!(matches!(intersection(&mut [&mixed, &more], packs, &LIMITS), Set::Ints(_)));
        }
        let few = Limits { ints: 1, ..LIMITS };
        assert!(matches!(intersection(&mut [&mixed, &more], true, &few), Set::Packed(_)));
        assert!(matches!(intersection(&mut [&mixed, &more], false, &few), Set::Table(_)));
    }

    fn model() -> impl Strategy<Value = Model> {
        let member = prop_oneof![4 => "[0-9]{1,2}", 2 => "[a-c]{1,2}", 1 => "[0-9]{9,12}"];
        let few = prop::collection::btree_set(member.clone().prop_map(String::into_bytes), 0..6);
        let many = prop::collection::btree_set(member.prop_map(String::into_bytes), 0..40);
        prop_oneof![few, many]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 5 } else { 256 }))]
        #[test]
        fn results_are_those_of_a_model(models in prop::collection::vec(model(), 1..5), packed in any::<bool>()) {
            let limits = if packed { LIMITS } else { NO_PACKED };
            let sets: Vec<Set> = models.iter().map(|model| set(model, &limits)).collect();
            let all = || sets.iter().collect::<Vec<_>>();
            let (first, others) = models.split_first().unwrap();
            let common: Model =
                first.iter().filter(|member| others.iter().all(|set| set.contains(*member))).cloned().collect();
            prop_assert_eq!(members(&intersection(&mut all(), packed, &limits)), common.clone());
            let mut visited = 0;
            intersect(&mut all(), |_| {
                visited += 1;
                if visited == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
            prop_assert_eq!(visited, common.len().min(2));
            let any: Model = models.iter().flatten().cloned().collect();
            prop_assert_eq!(members(&union(&all(), &limits)), any);
            let alone: Model =
                first.iter().filter(|member| !others.iter().any(|set| set.contains(*member))).cloned().collect();
            let (first, mut others) = (&sets[0], sets[1..].iter().collect::<Vec<_>>());
            prop_assert_eq!(members(&difference(first, &mut others, &limits)), alone);
        }
    }
}
