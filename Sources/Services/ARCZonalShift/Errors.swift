// Errors of zonal shift, with AWS's codes and reasons; AWS does not publish its sentences.

import AWSCore

enum ShiftError {
  static func noShift(_ id: String) -> AWSError {
    AWSError("ResourceNotFoundException", "The zonal shift '\(id)' was not found.", status: 404)
  }

  static func notManaged(_ resource: String) -> AWSError {
    AWSError("ResourceNotFoundException", "'\(resource)' is not a managed resource.", status: 404)
  }

  /// - Parameter reason: one of the API's `ValidationExceptionReason`.
  static func validation(_ reason: String, _ message: String) -> AWSError {
    AWSError("ValidationException", message, fields: ["reason": reason])
  }

  /// - Parameters:
  ///   - reason: one of the API's `ConflictExceptionReason`.
  ///   - shift: the id of the zonal shift that is in the way.
  static func conflict(_ reason: String, _ message: String, shift: String? = nil) -> AWSError {
    var fields = ["reason": reason]
    fields["zonalShiftId"] = shift
    return AWSError("ConflictException", message, status: 409, fields: fields)
  }

  static let badToken = validation("InvalidToken", "The token is not valid.")
}
