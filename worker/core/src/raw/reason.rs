//! Why a message or a row was rejected: a closed list, since reasons become columns, metrics and JSON.

/// Code of a rejection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// The document breaks a rule of XML 1.0 or of namespaces in XML.
    NotWellFormed,
    /// The document declares a version other than 1.0.
    UnsupportedVersion,
    /// The document is in, or declares, an encoding that is not read.
    UnsupportedEncoding,
    /// The bytes are not what the encoding allows, or not in the encoding that the document declares.
    InvalidEncoding,
    /// The document has a document type declaration.
    DoctypeNotAllowed,
    /// The message, or what its rows would repeat, exceeds the limit of bytes.
    MessageTooLarge,
    /// Elements are nested deeper than the limit.
    TooDeep,
    /// An element has more attributes than the limit.
    TooManyAttributes,
    /// The text of one column exceeds the limit.
    TextTooLong,
    /// More elements match the row path than the limit.
    TooManyRows,
    /// No element matches the row path.
    NoRows,
    /// An element that no path leads to or through, and the resource rejects those.
    UnknownElement,
    /// An element or attribute that is a column's stands twice in one row.
    RepeatedElement,
    /// A required column is null.
    Required,
    /// The text is not of the column's type.
    InvalidType,
    /// The text does not match the column's pattern.
    PatternMismatch,
    /// The value is none of those that the column allows.
    NotInEnum,
    /// The value is below the column's minimum.
    BelowMin,
    /// The value is above the column's maximum.
    AboveMax,
    /// The text has fewer characters than the column's minLength.
    TooShort,
    /// The text has more characters than the column's maxLength.
    TooLong,
    /// The row came later than the compaction allows.
    Late,
}

impl Reason {
    /// Every code, in the order in which a message passes the rules.
    pub const ALL: [Self; 22] = [
        Self::NotWellFormed,
        Self::UnsupportedVersion,
        Self::UnsupportedEncoding,
        Self::InvalidEncoding,
        Self::DoctypeNotAllowed,
        Self::MessageTooLarge,
        Self::TooDeep,
        Self::TooManyAttributes,
        Self::TextTooLong,
        Self::TooManyRows,
        Self::NoRows,
        Self::UnknownElement,
        Self::RepeatedElement,
        Self::Required,
        Self::InvalidType,
        Self::PatternMismatch,
        Self::NotInEnum,
        Self::BelowMin,
        Self::AboveMax,
        Self::TooShort,
        Self::TooLong,
        Self::Late,
    ];

    /// The code as users read it: in the rejected zone, in metrics and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::NotWellFormed => "NotWellFormed",
            Reason::UnsupportedVersion => "UnsupportedVersion",
            Reason::UnsupportedEncoding => "UnsupportedEncoding",
            Reason::InvalidEncoding => "InvalidEncoding",
            Reason::DoctypeNotAllowed => "DoctypeNotAllowed",
            Reason::MessageTooLarge => "MessageTooLarge",
            Reason::TooDeep => "TooDeep",
            Reason::TooManyAttributes => "TooManyAttributes",
            Reason::TextTooLong => "TextTooLong",
            Reason::TooManyRows => "TooManyRows",
            Reason::NoRows => "NoRows",
            Reason::UnknownElement => "UnknownElement",
            Reason::RepeatedElement => "RepeatedElement",
            Reason::Required => "Required",
            Reason::InvalidType => "InvalidType",
            Reason::PatternMismatch => "PatternMismatch",
            Reason::NotInEnum => "NotInEnum",
            Reason::BelowMin => "BelowMin",
            Reason::AboveMax => "AboveMax",
            Reason::TooShort => "TooShort",
            Reason::TooLong => "TooLong",
            Reason::Late => "Late",
        }
    }

    /// The step in which it was found.
    pub fn stage(self) -> Stage {
        match self {
            Reason::NotWellFormed
            | Reason::UnsupportedVersion
            | Reason::UnsupportedEncoding
            | Reason::InvalidEncoding
            | Reason::DoctypeNotAllowed
            | Reason::MessageTooLarge
            | Reason::TooDeep
            | Reason::TooManyAttributes
            | Reason::TextTooLong
            | Reason::TooManyRows
            | Reason::NoRows => Stage::Decode,
            Reason::UnknownElement
            | Reason::RepeatedElement
            | Reason::Required
            | Reason::InvalidType
            | Reason::PatternMismatch
            | Reason::NotInEnum
            | Reason::BelowMin
            | Reason::AboveMax
            | Reason::TooShort
            | Reason::TooLong => Stage::Validate,
            Reason::Late => Stage::Compact,
        }
    }
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Step in which a message or a row failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Reading the document and finding its rows.
    Decode,
    /// Typing and checking the columns of a row.
    Validate,
    /// Moving valid rows on to the Processed zone.
    Compact,
}

impl Stage {
    /// The step as the rejected zone names it.
    pub fn as_str(self) -> &'static str {
        match self {
            Stage::Decode => "Decode",
            Stage::Validate => "Validate",
            Stage::Compact => "Compact",
        }
    }
}
