// A service's API model at run time: its operations and the shapes they take and give.
//
// The generator writes it as text, one line a declaration, because the compiler takes a string in no time where it
// takes minutes for the same facts as code. It is read once, at the first call of the service.

import AWSCore
import Synchronization

/// The protocols of AWS's APIs.
public enum WireProtocol: String, Sendable {
  case query, ec2, json
  case restJSON = "rest-json"
  case restXML = "rest-xml"
  case cbor = "smithy-rpc-v2-cbor"
}

/// How a timestamp is written.
public enum TimestampFormat: String, Sendable { case iso8601, unixTimestamp, rfc822 }

/// A type of the model.
public struct Shape: Sendable {
  public enum Kind: Sendable {
    case structure([Member])
    case list(element: Int)
    case map(key: Int, value: Int)
    case string, integer, double, boolean, blob, timestamp
  }
  public var name: String
  public var kind: Kind
  /// Least length (of a string's characters, a blob's bytes, a list's or map's entries) or value (of a number).
  public var minimum: Double?
  /// Greatest length or value.
  public var maximum: Double?
  public var allowed: [String] = []
  public var pattern: String?
  public var isSensitive = false
  /// A list or map whose elements stand without an element around them.
  public var isFlattened = false
  /// The name of a list's elements, or of a map's keys and values, where the model gives one.
  public var elementName: String?
  public var valueName: String?
  public var timestampFormat: TimestampFormat?
  /// A structure whose body on a REST protocol is this member.
  public var payload: String?
  /// Set for structures that are errors.
  public var error: ErrorTrait?
  /// The XML namespace, where the structure is given one.
  public var xmlNamespace: String?
  /// A union: exactly one member is set.
  public var isUnion = false

  public struct ErrorTrait: Sendable {
    public var code: String
    public var status: Int
    public var isServerFault: Bool
    /// The member that holds the message, where it is not `message`.
    public var messageName: String?
  }
}

/// A member of a structure.
public struct Member: Sendable {
  /// Where a REST protocol puts it.
  public enum Location: String, Sendable {
    case body, header, headers, uri
    case query = "querystring"
    case status = "statusCode"
  }
  public var name: String
  public var shape: Int
  public var isRequired = false
  public var location = Location.body
  /// The name on the wire: `locationName`, else the name.
  public var wireName: String
  /// The name that `locationName` gave, where one was given.
  public var locationName: String?
  /// EC2's own name of it in requests.
  public var queryName: String?
  public var isFlattened = false
  public var isAttribute = false
  /// A body that streams: not a member of the generated structure.
  public var isStreaming = false
  public var timestampFormat: TimestampFormat?
  /// A token that a client makes up when it is absent.
  public var isIdempotencyToken = false
  public var xmlNamespace: String?
}

/// An operation of the model.
public struct OperationModel: Sendable {
  public var name: String
  public var method: String
  /// The URI template, such as `/{Bucket}/{Key+}?tagging`.
  public let uri: String
  /// `uri`, taken apart; nil when its braces do not match.
  let template: URITemplate?
  /// Index of the input structure; nil when there is none.
  public var input: Int?
  public var output: Int?
  /// The element around a query protocol's result.
  public var resultWrapper: String?
  public var status = 200
  public var errors: [String] = []
  /// The element name of a REST XML request's body, where the input names one.
  public var inputLocationName: String?
  public var inputNamespace: String?

  init(name: String, method: String, uri: String) {
    self.name = name
    self.method = method
    self.uri = uri
    template = URITemplate(uri)
  }
}

/// A service: what its API is called, which protocols it speaks, and its operations and shapes.
public final class ServiceModel: Sendable {
  /// Facts that the first lines of the text hold; there before the shapes are read.
  public struct Header: Sendable {
    /// The name in the SDKs' command line, such as `secretsmanager` or `elbv2`.
    public var name = ""
    /// `Secrets Manager`.
    public var serviceID = ""
    /// The first label of the service's host name.
    public var endpointPrefix = ""
    /// The service in a SigV4 scope.
    public var signingName = ""
    /// The prefix of `X-Amz-Target`.
    public var targetPrefix = ""
    public var jsonVersion = "1.1"
    public var protocols: [WireProtocol] = []
    public var apiVersion = ""
    public var xmlNamespace = ""
    public var awsQueryCompatible = false
    /// Every operation that AWS documents, built here or not.
    public var knownOperations: Set<String> = []
    /// Where a REST service's operations lie; empty for the other protocols.
    public var knownRoutes: [KnownRoute] = []
  }

  /// What tells a REST operation from its neighbours, whether it is built here or not.
  public struct KnownRoute: Sendable, Hashable {
    public var name: String
    public var method: String
    /// The URI template.
    public var uri: String
    /// Parameters of the query string without which it is another operation (`uploadId`).
    public var requiredQuery: [String] = []
    /// Headers without which it is another operation (`x-amz-copy-source`).
    public var requiredHeaders: [String] = []
  }

  private final class Body: Sendable {
    let operations: [String: OperationModel]
    let shapes: [Shape]
    let shapeIndex: [String: Int]
    let errors: [String: Shape.ErrorTrait]

    init(_ text: StaticString) {
      (operations, shapes) = ModelReader.body(text)
      var shapeIndex: [String: Int] = [:]
      var errors: [String: Shape.ErrorTrait] = [:]
      for (index, shape) in shapes.enumerated() {
        shapeIndex[shape.name] = index
        if let error = shape.error { errors[error.code] = error }
      }
      self.shapeIndex = shapeIndex
      self.errors = errors
    }
  }

  public let header: Header
  let text: StaticString
  /// Read with the first call and the same from then on. Each request asks several times: no lock is taken.
  private let body = AtomicLazyReference<Body>()
  private let patterns = Mutex<[String: Pattern?]>([:])

  /// - Parameter text: the generated model.
  public init(_ text: StaticString) {
    self.text = text
    header = ModelReader.header(text)
  }

  public var name: String { header.name }

  /// The operations that were generated.
  public var operations: [String: OperationModel] { loaded().operations }
  public var shapes: [Shape] { loaded().shapes }

  public func shape(_ index: Int) -> Shape { loaded().shapes[index] }
  public func shape(named name: String) -> Int? { loaded().shapeIndex[name] }
  public func operation(_ name: String) -> OperationModel? { loaded().operations[name] }

  /// The error that a code stands for, where the model declares it.
  public func error(code: String) -> Shape.ErrorTrait? { loaded().errors[code] }

  /// The compiled form of a pattern; nil when it holds something that the engine does not know.
  func compiled(_ pattern: String) -> Pattern? {
    patterns.withLock { cache in
      if let known = cache[pattern] { return known }
      let new = Pattern(pattern)
      cache[pattern] = new
      return new
    }
  }

  private func loaded() -> Body {
    // Two first calls at once may both read; one of the two is kept.
    body.load() ?? body.storeIfNil(Body(text))
  }
}
