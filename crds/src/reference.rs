//! References to Secrets and ConfigMaps of the resource's namespace. A resource holds no secret, only names.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Defines a reference, so that all of them have the same bounds.
macro_rules! reference {
    ($(#[$doc:meta])* $name:ident { $($(#[$key_doc:meta])* $key:ident)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "camelCase", deny_unknown_fields)]
        pub struct $name {
            /// Name of the object, in the namespace of the resource.
            #[schemars(length(min = 1, max = 253), regex(pattern = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"))]
            pub name: String,
            $(
                $(#[$key_doc])*
                #[schemars(length(min = 1, max = 253), regex(pattern = r"^[-._a-zA-Z0-9]+$"))]
                pub $key: String,
            )?
        }
    };
}

reference! {
    /// A whole Secret.
    SecretRef {}
}
reference! {
    /// One value of a Secret.
    SecretKeyRef {
        /// Key of the value in the Secret.
        key
    }
}
reference! {
    /// A whole ConfigMap.
    ConfigMapRef {}
}
reference! {
    /// One value of a ConfigMap.
    ConfigMapKeyRef {
        /// Key of the value in the ConfigMap.
        key
    }
}
