//! What the READMEs below `terraform/` say that something costs is what their arithmetic gives, and their
//! prices of Fargate are those that Fleetfoot reckons with.
//!
//! Arithmetic stands in a row of a table before its result, or before an equals sign. Words are units and
//! remarks; what follows a semicolon or a comma is a remark, too.

use std::fs;
use std::path::{Path, PathBuf};

use fleetfoot_core::cost::{Billed, of_task};
use fleetfoot_core::size::Size;
use fleetfoot_core::stack::{Arch, Capacity};
use jiff::{SignedDuration, Timestamp};

use super::root;

#[test]
fn arithmetic_of_costs_is_right() {
    let mut wrong = Vec::new();
    let mut checked = 0;
    for page in pages(&root().join("terraform")) {
        let text = fs::read_to_string(&page).unwrap();
        for claim in claims(&text) {
            checked += 1;
            wrong.extend(claim.problem().map(|why| format!("{}: {why}", page.display())));
        }
        wrong.extend(strange_prices(&text).map(|why| format!("{}: {why}", page.display())));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(checked >= 40, "only {checked} sums were found");
}

fn pages(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("terraform/ can be read") {
        let path = entry.expect("terraform/ can be read").path();
        if path.is_dir() && !path.ends_with(".terraform") {
            found.extend(pages(&path));
        } else if path.ends_with("README.md") {
            found.push(path);
        }
    }
    found
}

/// That something comes to something.
#[derive(Debug, PartialEq)]
struct Claim {
    sum: String,
    result: String,
}

impl Claim {
    /// Why it is not so.
    fn problem(&self) -> Option<String> {
        let Self { sum, result } = self;
        let Some(value) = evaluate(sum) else { return Some(format!("cannot reckon {sum:?}")) };
        let decimals = result.split_once('.').map_or(0, |(_, decimals)| decimals.len());
        let (stated, unit) = (number(result)?, 0.1_f64.powi(i32::try_from(decimals).ok()?));
        // Half a unit of the last place, and what a float may be off.
        ((value - stated).abs() > unit * 0.500_001).then(|| format!("{sum} is {value}, not {result}"))
    }
}

/// All claims of a page.
fn claims(text: &str) -> Vec<Claim> {
    let mut claims = Vec::new();
    let mut column = Vec::new();
    for line in text.lines() {
        let cells: Vec<&str> = line.trim().trim_matches('|').split('|').map(str::trim).collect();
        if cells.len() < 3 || !line.starts_with('|') {
            column.clear();
            continue;
        }
        let results: Vec<&str> = cells[2..].iter().filter_map(|cell| amount(cell)).collect();
        let Some(result) = results.last() else { continue };
        if cells[0].contains("together") {
            claims.push(Claim { sum: column.join(" + "), result: (*result).to_owned() });
        } else if cells[1].contains('×') && !cells[1].contains('=') {
            claims.push(Claim { sum: reckoning(cells[1]), result: (*result).to_owned() });
        }
        column.push((*result).to_owned());
    }
    let prose = text.replace('\n', " ");
    let parts: Vec<&str> = prose.split(" = ").collect();
    for pair in parts.windows(2) {
        // Where the sum began: after a colon, a full stop, a parenthesis that it does not close, or a cell.
        let before = pair[0].rsplit([':', ';', '|']).next().unwrap_or_default();
        let before = before.rsplit(". ").next().unwrap_or_default();
        let sum = reckoning(unopened(before));
        let result = pair[1].split_whitespace().next().and_then(amount);
        if let (true, Some(result)) = (sum.contains('×'), result) {
            claims.push(Claim { sum, result: result.to_owned() });
        }
    }
    claims
}

/// What follows the last parenthesis that is not closed.
fn unopened(text: &str) -> &str {
    let mut open = 0;
    for (place, sign) in text.char_indices().rev() {
        match sign {
            ')' => open += 1,
            '(' if open == 0 => return &text[place + 1..],
            '(' => open -= 1,
            _ => {}
        }
    }
    text
}

/// A cell that is an amount: `$1.20`, `at most $1.20`, `$1.20 a month`, `13`.
fn amount(cell: &str) -> Option<&str> {
    let bare = cell.trim_matches('*').trim_start_matches("at most ").trim_start_matches('$');
    let figure = bare.split(' ').next()?.trim_end_matches(['.', ',', ')', ';']);
    number(figure)?;
    Some(figure)
}

fn number(text: &str) -> Option<f64> {
    text.replace(',', "").parse().ok()
}

/// A sum without units and remarks.
fn reckoning(text: &str) -> String {
    let text = text.rsplit(": ").next().unwrap_or_default();
    let text = text.split(';').next().unwrap_or_default().split(", ").next().unwrap_or_default();
    let words = text.split(' ').map(|word| {
        let kept: String = word.chars().filter(|c| !c.is_alphabetic() && !"$,`".contains(*c)).collect();
        if word.starts_with(|c: char| c.is_alphabetic()) { kept.replace('-', "") } else { kept }
    });
    words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// The value of a sum of numbers, `+`, `×`, `/` and parentheses.
fn evaluate(sum: &str) -> Option<f64> {
    let signs: Vec<char> = sum.chars().filter(|c| *c != ' ').collect();
    let (value, rest) = terms(&signs)?;
    rest.is_empty().then_some(value)
}

fn terms(signs: &[char]) -> Option<(f64, &[char])> {
    let (mut value, mut rest) = factors(signs)?;
    while let [sign @ ('+' | '−'), after @ ..] = rest {
        let (next, after) = factors(after)?;
        value += if *sign == '+' { next } else { -next };
        rest = after;
    }
    Some((value, rest))
}

fn factors(signs: &[char]) -> Option<(f64, &[char])> {
    let (mut value, mut rest) = factor(signs)?;
    while let [sign @ ('×' | '/'), after @ ..] = rest {
        let (next, after) = factor(after)?;
        value = if *sign == '×' { value * next } else { value / next };
        rest = after;
    }
    Some((value, rest))
}

fn factor(signs: &[char]) -> Option<(f64, &[char])> {
    if let ['(', inside @ ..] = signs {
        let (value, rest) = terms(inside)?;
        return Some((value, rest.strip_prefix(&[')'])?));
    }
    let length = signs.iter().take_while(|c| c.is_ascii_digit() || **c == '.').count();
    let (figure, rest) = signs.split_at(length);
    Some((figure.iter().collect::<String>().parse().ok()?, rest))
}

/// Prices of a vCPU and a GB, hour for hour, as Fleetfoot has them.
fn prices() -> Vec<(f64, f64)> {
    let price = |provider: &str, arch, cpu, memory| {
        let size = Size { cpu, memory, ephemeral_storage: None };
        let (from, capacity) = (Timestamp::UNIX_EPOCH, &Capacity::Provider(provider.to_owned()));
        let to = from + SignedDuration::from_hours(1);
        of_task(&Billed { capacity, arch, size, public_ip: false, from, to }).expect("Fargate has a price").0
    };
    let mut prices = Vec::new();
    for provider in ["FARGATE", "FARGATE_SPOT"] {
        for arch in [Arch::X86_64, Arch::Arm64] {
            prices.push((price(provider, arch, 1024, 0), price(provider, arch, 0, 1024)));
        }
    }
    prices
}

/// Prices of Fargate that are not Fleetfoot's: `N vCPU × $P + M GB × $Q`.
fn strange_prices(text: &str) -> impl Iterator<Item = String> {
    let (prices, text) = (prices(), text.replace('\n', " "));
    let pairs: Vec<(f64, f64)> = text
        .split("vCPU × $")
        .skip(1)
        .filter_map(|rest| {
            let (vcpu, rest) = rest.split_once(" + ")?;
            let (_, gigabyte) = rest.split_once("GB × $")?;
            let gigabyte = gigabyte.split([' ', ')', ';', ',']).next()?;
            Some((number(vcpu)?, number(gigabyte)?))
        })
        .collect();
    pairs.into_iter().filter_map(move |(vcpu, gigabyte)| {
        let near = |a: f64, b: f64| (a - b).abs() < 1e-9;
        let known = prices.iter().any(|(v, g)| near(*v, vcpu) && near(*g, gigabyte));
        (!known).then(|| format!("a vCPU is not ${vcpu} with ${gigabyte} for a GB"))
    })
}

#[test]
fn sums_are_found_and_reckoned() {
    let page = "| a | 10/60 h × (1 vCPU × $0.6 + $0.06 address); remark | $0.11 |\n\
                | b | at most 8 × 0.5 GB × $0.10, layers once | at most $0.40 |\n\
                | **together** | | **$0.51** |\n\n\
                A thousand: 1,000 × ($0.0035 + $0.006) = $9.50. Or (730 h × $0.01 = $7.30).\n";
    let claims = claims(page);
    assert_eq!(claims.len(), 5, "{claims:?}");
    assert!(claims.iter().all(|claim| claim.problem().is_none()), "{claims:?}");
    let off = Claim { sum: "2 × 3".to_owned(), result: "6.01".to_owned() };
    assert_eq!(off.problem().unwrap(), "2 × 3 is 6, not 6.01");
    assert!(Claim { sum: "2 × (3".to_owned(), result: "6".to_owned() }.problem().is_some());
    let strange = strange_prices("1 vCPU × $0.05 + 2 GB × $0.004445; fine");
    assert_eq!(strange.collect::<Vec<_>>(), ["a vCPU is not $0.05 with $0.004445 for a GB"]);
    assert_eq!(strange_prices("1 vCPU × $0.04048 + 2 GB × $0.004445)").count(), 0);
}
