//! Tables in the allocator of the program: pages that segments have left when they split do not stay half empty.

use structures::allocator::Allocator;
use structures::cached::{Cached, Head};
use structures::lent::Lender;
use structures::table::{Item, Table};

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

fn key(number: usize) -> Vec<u8> {
    format!("key:{number:08}").into_bytes()
}

/// Looks at segments as often as there are entries of the directory, and more; gives how many have been moved.
fn settle(table: &mut Table<Cached>) -> usize {
    (0..1 << 13).filter(|&number| table.settle(number)).count()
}

#[test]
fn segments_leave_pages_that_are_mostly_empty() {
    let mut table: Table<Cached> = Table::new(7, 0);
    let lender = Lender::default();
    let mut moved = 0;
    for number in 0..400_000 {
        let item = Cached::new(&key(number), &Head::default(), [b"value", b""], &lender);
        let hash = table.hash(item.key());
        table.insert_new(hash, item);
        // Those that have not split when most have are far between.
        if number == 300_000 {
            moved = settle(&mut table);
        }
    }
    assert!(moved > 0);
    table.check_invariants();
    assert_eq!(table.len(), 400_000);
    for number in 0..400_000 {
        let place = table.find(table.hash(&key(number)), &key(number)).expect("it is there");
        assert_eq!(table.at(place).value(), b"value");
    }
    // Who has been moved stays.
    let moves: Vec<usize> = (0..10).map(|_| settle(&mut table)).collect();
    assert!(moves[9] * 10 <= moves[0], "{moves:?}");
    table.check_invariants();
}

/// How many of the items are among the last in their pages.
fn last(table: &Table<Cached>) -> usize {
    table.iter().filter(|item| item.idle().is_last).count()
}

#[test]
fn small_items_leave_pages_that_have_lost_all_others() {
    let mut table: Table<Cached> = Table::new(7, 0);
    let lender = Lender::default();
    let value = |number: usize| if number.is_multiple_of(1_000) { vec![7; 3_000] } else { vec![7; 30] };
    for number in 0..200_000 {
        let item = Cached::new(&key(number), &Head::default(), [&value(number), b""], &lender);
        table.insert_new(table.hash(item.key()), item);
    }
    let stays = |number: usize| number.is_multiple_of(50);
    for number in (0..200_000).filter(|number| !stays(*number)) {
        let place = table.find(table.hash(&key(number)), &key(number)).expect("it is there");
        table.remove(place);
    }
    let before = last(&table);
    assert!(before > 3_000, "{before}");
    (0..1 << 10).for_each(|number| table.renew(number, Cached::moved_if_last));
    let after = last(&table);
    assert!(after * 20 < before, "{before} before, {after} after");
    table.check_invariants();
    for number in (0..200_000).filter(|number| stays(*number)) {
        let place = table.find(table.hash(&key(number)), &key(number)).expect("it is there");
        assert_eq!(table.at(place).value(), value(number));
    }
}
