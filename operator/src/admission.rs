//! What the API server says of a pod that it does not let in, by its words: there is no other sign.

/// Whether a ResourceQuota refuses a pod.
pub fn is_by_quota(message: &str) -> bool {
    message.contains("exceeded quota") || message.contains("failed quota")
}

/// Whether it is the size of a pod that the namespace refuses: a ResourceQuota, or a LimitRange with `maximum cpu usage per
/// Container is 1, but limit is 2` or `cpu max limit to request ratio per Container is 2, but provided ratio is 3`.
pub fn is_by_namespace(message: &str) -> bool {
    is_by_quota(message) || message.contains(" usage per ") || message.contains("request ratio per ")
}

/// Whether an answer of this code is a refusal of admission: a quota, a limit range, or a policy. The next try would end in
/// the same way.
///
/// A webhook chooses its code, mostly 400 or 403. A right that is missing is 403 as well, in the words of the API server's
/// authorizers, and a request that is malformed is 400.
pub fn refuses(code: u16, message: &str) -> bool {
    match code {
        403 => !message.contains("cannot patch resource"),
        422 => true,
        // In the words of a webhook and of a ValidatingAdmissionPolicy.
        400..500 => message.contains("denied the request") || message.contains("denied request"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::cpu("maximum cpu usage per Container is 1, but limit is 2", true)]
    #[case::memory("minimum memory usage per Pod is 1Gi, but request is 512Mi", true)]
    #[case::ratio("cpu max limit to request ratio per Container is 2, but provided ratio is 3", true)]
    #[case::quota("exceeded quota: small, requested: requests.cpu=2", true)]
    #[case::policy("admission webhook \"policy.example.com\" denied the request: no", false)]
    fn size_is_refused_by_what_the_namespace_allows(#[case] message: &str, #[case] is_refused: bool) {
        assert_eq!(is_by_namespace(message), is_refused);
    }

    #[rstest]
    #[case::quota(403, "pods \"a\" is forbidden: exceeded quota: small", true)]
    #[case::right(403, "pods \"a\" is forbidden: User \"b\" cannot patch resource \"pods/resize\"", false)]
    #[case::invalid(422, "Pod \"a\" is invalid", true)]
    #[case::webhook_with_its_own_code(400, "admission webhook \"a\" denied the request: no", true)]
    #[case::policy_of_the_cluster(413, "ValidatingAdmissionPolicy 'a' with binding 'b' denied request: no", true)]
    #[case::malformed(400, "the body of the request was in an unknown format", false)]
    #[case::webhook_that_fails(500, "failed calling webhook \"a\"", false)]
    fn answer_is_a_refusal(#[case] code: u16, #[case] message: &str, #[case] is_refusal: bool) {
        assert_eq!(refuses(code, message), is_refusal);
    }
}
