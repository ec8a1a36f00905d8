// The client's side: headers and presigned URLs.

import AWSCore

extension SigV4 {
  /// What is signed of a request's body.
  public enum Payload: Sendable, Hashable {
    /// No body.
    case empty
    /// A body by the hexadecimal digits of its SHA-256 (`SigV4.payloadHash`).
    case sha256(String)
    /// A body that is not signed; only S3 takes this from everybody.
    case unsigned
    /// A body in aws-chunked coding; the signature of the head is the seed of the chunks'.
    case streaming(StreamingMode)

    /// What stands in the canonical request and in `x-amz-content-sha256`.
    public var hash: String {
      switch self {
      case .empty: SigV4.emptyPayloadHash
      case .sha256(let hex): hex
      case .unsigned: SigV4.unsignedPayload
      case .streaming(let mode): mode.rawValue
      }
    }

    /// A body by its bytes.
    public static func bytes(_ bytes: some Collection<UInt8>) -> Payload { .sha256(SigV4.payloadHash(bytes)) }
  }

  /// A signed request.
  public struct Signed: Sendable {
    /// The headers to add, names in the case that AWS's documents show. Empty for a presigned request.
    public var headers: Headers
    /// The query to send: the request's own, or with the signature when presigned.
    public var query: String
    public var signature: String
    public var canonicalRequest: String
    public var stringToSign: String
  }

  /// Signs requests for one set of credentials, region and service. Cheap to make.
  public struct Signer: Sendable {
    public var credentials: Credentials
    public var region: String
    /// The signing name, such as `s3` or `secretsmanager`.
    public var service: String
    public var rules: Rules
    private let cache: SigningKeyCache?

    /// - Parameters:
    ///   - rules: S3's for services whose name begins with `s3` unless told otherwise.
    ///   - cache: where derived keys are kept; without one each request costs four more HMACs.
    public init(
      credentials: Credentials, region: String, service: String, rules: Rules? = nil, cache: SigningKeyCache? = nil
    ) {
      self.credentials = credentials
      self.region = region
      self.service = service
      self.rules = rules ?? Rules(service: service)
      self.cache = cache
    }

    /// Headers that proxies and HTTP libraries change on the way, and so are never signed.
    private static let unsigned: Set<String> = [
      "authorization", "connection", "expect", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade",
      "user-agent", "x-amzn-trace-id",
    ]

    /// Signs with headers: `X-Amz-Date`, `Authorization`, where they apply `X-Amz-Security-Token` and
    /// `X-Amz-Content-SHA256`.
    /// - Parameters:
    ///   - request: must have its `Host` header; all headers but those that travel badly are signed. Date, token and
    ///     hash headers that are there already are ignored and must be replaced by the returned ones.
    ///   - payload: what is signed of the body.
    public func sign(_ request: Request, payload: Payload = .empty, at time: Timestamp) -> Signed {
      var request = request
      let replaced = ["x-amz-date", "x-amz-security-token", "x-amz-content-sha256", "authorization"]
      request.headers.removeAll { header in replaced.contains { equalsIgnoringASCIICase($0, header.name) } }
      var added: Headers = [("X-Amz-Date", time.basic)]
      if let token = credentials.sessionToken { added.append(("X-Amz-Security-Token", token)) }
      if rules == .s3 || payload == .unsigned { added.append(("X-Amz-Content-SHA256", payload.hash)) }
      request.headers += added
      let names = signedNames(request.headers)
      let scope = Scope(date: String(time.basic.prefix(8)), region: region, service: service)
      let canonical = SigV4.canonicalRequest(
        request, rules: rules, signedHeaders: names, payloadHash: payload.hash)
      let text = SigV4.stringToSign(canonicalRequest: canonical, timestamp: time.basic, scope: scope)
      let signature = key(scope).signature(of: text)
      added.append(
        (
          "Authorization",
          "\(SigV4.algorithm) Credential=\(credentials.accessKeyID)/\(scope), "
            + "SignedHeaders=\(names.joined(separator: ";")), Signature=\(signature)"
        ))
      return Signed(
        headers: added, query: request.query, signature: signature, canonicalRequest: canonical, stringToSign: text)
    }

    /// Signs with the query, for a URL that works by itself until it expires.
    /// - Parameters:
    ///   - request: must have its `Host` header; whoever uses the URL must send all of the headers given here.
    ///   - payload: for S3 usually `.unsigned`, for the others `.empty`; nil takes that.
    ///   - seconds: how long the URL is good, 1 to 604,800.
    public func presign(_ request: Request, payload: Payload? = nil, expires seconds: Int, at time: Timestamp) -> Signed
    {
      let payload = payload ?? (rules == .s3 ? .unsigned : .empty)
      let scope = Scope(date: String(time.basic.prefix(8)), region: region, service: service)
      let names = signedNames(request.headers)
      var request = request
      var parameters: Headers = [
        ("X-Amz-Algorithm", SigV4.algorithm), ("X-Amz-Credential", "\(credentials.accessKeyID)/\(scope)"),
        ("X-Amz-Date", time.basic), ("X-Amz-Expires", String(seconds)),
        ("X-Amz-SignedHeaders", names.joined(separator: ";")),
      ]
      if let token = credentials.sessionToken { parameters.append(("X-Amz-Security-Token", token)) }
      let extra = parameters.map { "\($0.name)=\(PercentEncoding.encode($0.value))" }.joined(separator: "&")
      request.query = request.query.isEmpty ? extra : "\(request.query)&\(extra)"
      let canonical = SigV4.canonicalRequest(request, rules: rules, signedHeaders: names, payloadHash: payload.hash)
      let text = SigV4.stringToSign(canonicalRequest: canonical, timestamp: time.basic, scope: scope)
      let signature = key(scope).signature(of: text)
      return Signed(
        headers: [], query: "\(request.query)&X-Amz-Signature=\(signature)", signature: signature,
        canonicalRequest: canonical, stringToSign: text)
    }

    /// What signs the chunks of an aws-chunked body whose head was signed at that time with that signature.
    public func chunkSigning(seed: String, at time: Timestamp) -> ChunkSigning {
      let scope = Scope(date: String(time.basic.prefix(8)), region: region, service: service)
      return ChunkSigning(key: key(scope), timestamp: time.basic, seed: seed)
    }

    private func key(_ scope: Scope) -> SigningKey {
      cache?.key(secretAccessKey: credentials.secretAccessKey, scope: scope)
        ?? SigningKey(secretAccessKey: credentials.secretAccessKey, scope: scope)
    }

    private func signedNames(_ headers: Headers) -> [String] {
      Set(headers.map { $0.name.lowercased() }).subtracting(Self.unsigned).sorted()
    }
  }
}
