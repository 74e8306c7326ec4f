//! Typing errors in the names of well-known hosts.

use super::KnownProvider;

/// Further away, two names are different names.
const MAX_DISTANCE: usize = 2;

/// The well-known host that was probably meant by a host that does not exist: one or two letters away.
#[must_use]
pub fn suggested_host(host: &str) -> Option<&'static str> {
    KnownProvider::all()
        .flat_map(KnownProvider::preset_hosts)
        .filter(|preset| *preset != host)
        .map(|preset| (distance(host.as_bytes(), preset.as_bytes()), preset))
        .filter(|(distance, _)| *distance <= MAX_DISTANCE)
        .min()
        .map(|(_, preset)| preset)
}

/// Letters to insert, remove, replace or swap with the next one (optimal string alignment); `usize::MAX` where the
/// lengths alone differ by more than [`MAX_DISTANCE`].
fn distance(a: &[u8], b: &[u8]) -> usize {
    if a.len().abs_diff(b.len()) > MAX_DISTANCE {
        return usize::MAX;
    }
    let mut before_last = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 0..a.len() {
        let mut row = vec![i + 1];
        for j in 0..b.len() {
            let mut cost = (last[j] + usize::from(a[i] != b[j])).min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && a[i] == b[j - 1] && a[i - 1] == b[j] {
                cost = cost.min(before_last[j - 1] + 1);
            }
            row.push(cost);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}
