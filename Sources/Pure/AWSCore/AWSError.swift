// The one error type of the product: what a caller of an AWS API is told.

/// An error as an AWS API reports it: a code, an HTTP status, whose fault it is, and a message for a person.
public struct AWSError: Error, Sendable, Hashable, CustomStringConvertible {
  /// Whose mistake it was: decides `Sender`/`Receiver` on the query protocol, and whether a client retries.
  public enum Fault: String, Sendable { case client, server }

  /// The code that SDKs match on, such as `ResourceNotFoundException`.
  public var code: String
  /// The HTTP status.
  public var status: Int
  /// What was wrong and where, in AWS's own words where they are known.
  public var message: String
  public var fault: Fault
  /// Further members of the error's shape (`Resource` and `BucketName` on S3), in order.
  public var fields: [String: String]

  public init(
    _ code: String, _ message: String, status: Int = 400, fault: Fault? = nil, fields: [String: String] = [:]
  ) {
    self.code = code
    self.message = message
    self.status = status
    self.fault = fault ?? (status >= 500 ? .server : .client)
    self.fields = fields
  }

  public var description: String { "\(code) (\(status)): \(message)" }

  /// What is known to AWS but not built here: 501, naming the service and the operation.
  public static func notImplemented(service: String, operation: String) -> AWSError {
    AWSError(
      "NotImplemented", "Castle does not implement \(service):\(operation) yet.", status: 501, fault: .server)
  }

  /// A part of an operation that is not built here: 501, naming it.
  public static func notImplemented(_ what: String) -> AWSError {
    AWSError("NotImplemented", "Castle does not implement \(what) yet.", status: 501, fault: .server)
  }

  /// IAM said no (the message is AWS's own).
  public static func accessDenied(principal: String, action: String, resource: String, reason: String) -> AWSError {
    AWSError(
      "AccessDenied",
      "User: \(principal) is not authorized to perform: \(action) on resource: \(resource) because \(reason)",
      status: 403)
  }

  /// A constraint of the API model that the input breaks.
  public static func validation(_ message: String) -> AWSError { AWSError("ValidationException", message) }
}
