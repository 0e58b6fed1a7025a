//! Two order books as one writes them in Rust with its standard library: `BTreeMap` per side, and a sorted `Vec` per side
//! with the best level at its end. They apply level changes that are decoded already: no JSON, no hash, no records.
//! Bad case: a caller that hands over a book number that was not made; the library aborts.

use std::collections::BTreeMap;

/// One absolute level; quantity 0 removes it. `side`: 0 = bid, 1 = ask.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Change {
    price: i64,
    quantity: i64,
    book: u32,
    side: u32,
}

trait Side: Default + Clone {
    fn set(&mut self, key: i64, quantity: i64);
    /// Best first.
    fn each(&self, visit: &mut dyn FnMut(i64, i64));
}

/// Keys rise towards the best level: prices of bids, negated prices of asks.
#[derive(Default, Clone)]
struct Tree(BTreeMap<i64, i64>);

impl Side for Tree {
    #[inline]
    fn set(&mut self, key: i64, quantity: i64) {
        if quantity == 0 {
            self.0.remove(&key);
        } else {
            self.0.insert(key, quantity);
        }
    }

    fn each(&self, visit: &mut dyn FnMut(i64, i64)) {
        for (key, quantity) in self.0.iter().rev() {
            visit(*key, *quantity);
        }
    }
}

#[derive(Default, Clone)]
struct Sorted(Vec<(i64, i64)>);

impl Side for Sorted {
    #[inline]
    fn set(&mut self, key: i64, quantity: i64) {
        match self.0.binary_search_by(|level| level.0.cmp(&key)) {
            Ok(at) if quantity == 0 => {
                self.0.remove(at);
            }
            Ok(at) => self.0[at].1 = quantity,
            Err(at) if quantity != 0 => self.0.insert(at, (key, quantity)),
            Err(_) => {}
        }
    }

    fn each(&self, visit: &mut dyn FnMut(i64, i64)) {
        for (key, quantity) in self.0.iter().rev() {
            visit(*key, *quantity);
        }
    }
}

#[derive(Default, Clone)]
struct Book<S> {
    bids: S,
    asks: S,
}

#[derive(Default)]
struct Shelf<S> {
    first: Vec<Book<S>>,
    books: Vec<Book<S>>,
}

impl<S: Side> Shelf<S> {
    #[inline]
    fn apply(books: &mut [Book<S>], change: &Change) {
        let book = &mut books[change.book as usize];
        if change.side == 0 {
            book.bids.set(change.price, change.quantity);
        } else {
            book.asks.set(-change.price, change.quantity);
        }
    }

    fn open(books: usize, changes: &[Change]) -> Self {
        let mut first = vec![Book::<S>::default(); books];
        for change in changes {
            Self::apply(&mut first, change);
        }
        Shelf { books: first.clone(), first }
    }

    fn run(&mut self, changes: &[Change]) {
        for change in changes {
            Self::apply(&mut self.books, change);
        }
    }

    /// FNV-1a over the 32-bit words of price and quantity of every level, bids first, best first.
    fn digest(&self, book: usize) -> u32 {
        let mut hash = 0x811c_9dc5u32;
        let mut add = |value: i64| {
            for word in [value as u32, (value >> 32) as u32] {
                hash = (hash ^ word).wrapping_mul(0x0100_0193);
            }
        };
        self.books[book].bids.each(&mut |key, quantity| {
            add(key);
            add(quantity);
        });
        self.books[book].asks.each(&mut |key, quantity| {
            add(-key);
            add(quantity);
        });
        hash
    }
}

/// Books of one of the two kinds.
pub enum Kind {
    Tree(Shelf<Tree>),
    Sorted(Shelf<Sorted>),
}

/// Opens books from their snapshots' levels. `kind`: 0 = BTreeMap, 1 = sorted Vec.
#[no_mangle]
pub unsafe extern "C" fn books_open(kind: u32, books: u32, changes: *const Change, count: u32) -> *mut Kind {
    let changes = std::slice::from_raw_parts(changes, count as usize);
    let opened = match kind {
        0 => Kind::Tree(Shelf::open(books as usize, changes)),
        _ => Kind::Sorted(Shelf::open(books as usize, changes)),
    };
    Box::into_raw(Box::new(opened))
}

/// Brings every book back to its snapshot.
#[no_mangle]
pub unsafe extern "C" fn books_reset(opened: *mut Kind) {
    match &mut *opened {
        Kind::Tree(shelf) => shelf.books.clone_from(&shelf.first),
        Kind::Sorted(shelf) => shelf.books.clone_from(&shelf.first),
    }
}

/// Applies every change in order.
#[no_mangle]
pub unsafe extern "C" fn books_run(opened: *mut Kind, changes: *const Change, count: u32) {
    let changes = std::slice::from_raw_parts(changes, count as usize);
    match &mut *opened {
        Kind::Tree(shelf) => shelf.run(changes),
        Kind::Sorted(shelf) => shelf.run(changes),
    }
}

/// What a book holds.
#[no_mangle]
pub unsafe extern "C" fn books_digest(opened: *mut Kind, book: u32) -> u32 {
    match &*opened {
        Kind::Tree(shelf) => shelf.digest(book as usize),
        Kind::Sorted(shelf) => shelf.digest(book as usize),
    }
}

/// Frees the books.
#[no_mangle]
pub unsafe extern "C" fn books_close(opened: *mut Kind) {
    drop(Box::from_raw(opened));
}
