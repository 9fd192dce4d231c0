//! Colour: a few tones, each with a meaning. Everything is readable without.

/// What a piece of text means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Tone {
    /// Nothing in particular.
    #[default]
    Plain,
    /// All is well.
    Good,
    /// Look at it.
    Warn,
    /// It is broken.
    Bad,
    /// Less important than the rest.
    Faint,
    /// A header.
    Strong,
}

impl Tone {
    /// The tone of a state's word.
    pub(crate) fn of_state(word: &str) -> Self {
        match word {
            "running" | "ok" | "success" | "healthy" => Self::Good,
            "failed" | "missing" | "failure" | "refused" | "unhealthy" => Self::Bad,
            "stopped" => Self::Faint,
            _ => Self::Warn,
        }
    }
}

/// The text in its tone, or as it is where there is no colour.
pub(crate) fn paint(color: bool, tone: Tone, text: &str) -> String {
    let code = match tone {
        Tone::Plain => "",
        Tone::Good => "32",
        Tone::Warn => "33",
        Tone::Bad => "1;31",
        Tone::Faint => "2",
        Tone::Strong => "1",
    };
    if color && !code.is_empty() { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
}
