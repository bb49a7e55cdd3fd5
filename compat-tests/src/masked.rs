//! Texts with what differs from run to run taken out, so that the rest can be compared.

/// Every number, decimal or behind `0x`, becomes `N`.
pub fn numbers(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if !c.is_ascii_digit() {
            out.push(c);
            continue;
        }
        let is_hex = c == '0' && chars.next_if_eq(&'x').is_some();
        while chars
            .next_if(|c| if is_hex { c.is_ascii_hexdigit() } else { c.is_ascii_digit() })
            .is_some()
        {}
        out.push_str(if is_hex { "0xN" } else { "N" });
    }
    // Latencies are 0 or have decimals, as it happens.
    out.replace("N.N", "N")
}
