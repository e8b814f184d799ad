//! A database to try things on: a shop with customers, products, invoices and their lines.
//!
//! Made with plain SQLite, in one way only: the same file comes out each time.

use std::path::Path;

use anyhow::Result;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use rusqlite::{Connection, Transaction, params};

const CUSTOMERS: i64 = 600;
const PRODUCTS: i64 = 120;
const INVOICES: i64 = 2_500;
const LINES_AN_INVOICE_MAX: i64 = 4;
const SEED: u64 = 20_240_229;

const SCHEMA: &str = "
CREATE TABLE customer(
    id INTEGER PRIMARY KEY, name TEXT NOT NULL, city TEXT NOT NULL, email TEXT NOT NULL UNIQUE);
CREATE TABLE product(
    id INTEGER PRIMARY KEY, name TEXT NOT NULL,
    price_cents INTEGER NOT NULL CHECK(price_cents > 0));
CREATE TABLE invoice(
    id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL REFERENCES customer(id),
    issued DATE NOT NULL, paid BOOLEAN NOT NULL DEFAULT FALSE);
CREATE TABLE invoice_line(
    id INTEGER PRIMARY KEY, invoice_id INTEGER NOT NULL REFERENCES invoice(id),
    product_id INTEGER NOT NULL REFERENCES product(id), quantity INTEGER NOT NULL,
    price_cents INTEGER NOT NULL);
CREATE INDEX customer_by_city ON customer(city, name);
CREATE INDEX invoice_by_customer ON invoice(customer_id, issued);
CREATE INDEX invoice_line_by_invoice ON invoice_line(invoice_id);
CREATE INDEX invoice_line_by_product ON invoice_line(product_id);
CREATE VIEW invoice_total AS
    SELECT invoice_id, sum(quantity * price_cents) AS total_cents FROM invoice_line GROUP BY 1;
";

const FIRST_NAMES: [&str; 12] = [
    "Ada", "Bela", "Chloé", "Dmitri", "Esra", "Femi", "Grace", "Hana", "Inés", "Jürgen", "Keiko",
    "Liam",
];
const LAST_NAMES: [&str; 10] = [
    "Okafor",
    "Novak",
    "Silva",
    "Tanaka",
    "Weber",
    "Yıldız",
    "Kowalski",
    "Haddad",
    "Lindqvist",
    "O'Brien",
];
const CITIES: [&str; 8] =
    ["Oslo", "Porto", "Kraków", "Nairobi", "Lyon", "Osaka", "Québec", "Hobart"];
const GOODS: [&str; 8] =
    ["lamp", "kettle", "notebook", "bicycle bell", "tea", "chair", "map", "umbrella"];
const COLOURS: [&str; 5] = ["red", "blue", "green", "black", "white"];

/// Makes the shop in a new file at `path`. Blocks.
///
/// # Errors
/// The file cannot be written.
pub fn make(path: &Path) -> Result<()> {
    let mut random = SmallRng::seed_from_u64(SEED);
    let mut connection = Connection::open(path)?;
    connection.execute_batch("PRAGMA page_size = 4096")?;
    let transaction = connection.transaction()?;
    transaction.execute_batch(SCHEMA)?;
    people(&transaction, &mut random)?;
    goods(&transaction, &mut random)?;
    invoices(&transaction, &mut random)?;
    transaction.commit()?;
    Ok(())
}

fn people(transaction: &Transaction<'_>, random: &mut SmallRng) -> Result<()> {
    let mut insert = transaction.prepare("INSERT INTO customer VALUES(?1, ?2, ?3, ?4)")?;
    for id in 1..=CUSTOMERS {
        let name = format!("{} {}", one_of(&FIRST_NAMES, random), one_of(&LAST_NAMES, random));
        let email = format!("customer{id}@example.com");
        insert.execute(params![id, name, one_of(&CITIES, random), email])?;
    }
    Ok(())
}

fn goods(transaction: &Transaction<'_>, random: &mut SmallRng) -> Result<()> {
    let mut insert = transaction.prepare("INSERT INTO product VALUES(?1, ?2, ?3)")?;
    for id in 1..=PRODUCTS {
        let name = format!("{} {} no. {id}", one_of(&COLOURS, random), one_of(&GOODS, random));
        insert.execute(params![id, name, random.random_range(95..20_000)])?;
    }
    Ok(())
}

fn invoices(transaction: &Transaction<'_>, random: &mut SmallRng) -> Result<()> {
    let mut invoice = transaction.prepare("INSERT INTO invoice VALUES(?1, ?2, ?3, ?4)")?;
    let mut line = transaction.prepare(
        "INSERT INTO invoice_line(invoice_id, product_id, quantity, price_cents) \
         SELECT ?1, id, ?3, price_cents FROM product WHERE id = ?2",
    )?;
    for id in 1..=INVOICES {
        let month = random.random_range(1..=12);
        let day = random.random_range(1..=28);
        let customer = random.random_range(1..=CUSTOMERS);
        let issued = format!("2024-{month:02}-{day:02}");
        invoice.execute(params![id, customer, issued, random.random_bool(0.8)])?;
        for _ in 0..random.random_range(1..=LINES_AN_INVOICE_MAX) {
            let product = random.random_range(1..=PRODUCTS);
            line.execute(params![id, product, random.random_range(1..=9)])?;
        }
    }
    Ok(())
}

fn one_of<'a>(words: &[&'a str], random: &mut SmallRng) -> &'a str {
    words[random.random_range(0..words.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shop_is_the_same_each_time_and_sound() {
        let dir = tempfile::tempdir().unwrap();
        let (one, two) = (dir.path().join("1"), dir.path().join("2"));
        make(&one).unwrap();
        make(&two).unwrap();
        assert!(std::fs::read(&one).unwrap() == std::fs::read(&two).unwrap());
        let shop = Connection::open(&one).unwrap();
        let ask = |sql: &str| shop.query_row(sql, [], |row| row.get::<_, String>(0)).unwrap();
        assert_eq!(ask("PRAGMA integrity_check"), "ok");
        assert_eq!(ask("SELECT count(*) || '' FROM pragma_foreign_key_check"), "0");
        assert_eq!(ask("SELECT count(*) || '' FROM invoice"), INVOICES.to_string());
    }
}
