// What the tests of Templates share.
import Testing

@testable import Templates

/// A template with these resources and whatever stands before them.
func template(_ text: String) throws -> Template { try Template.parse(text) }

let context = TemplateContext(
  accountId: "123456789012", region: "eu-west-1", stackName: "shop",
  stackId: "arn:aws:cloudformation:eu-west-1:123456789012:stack/shop/1", notificationARNs: ["arn:a", "arn:b"],
  exportedValue: { $0 == "Network-Vpc" ? "vpc-1" : nil })

/// Evaluates one expression, written in YAML, as the property `Value` of a resource beside the bucket `B`.
func evaluate(_ expression: String, sections: String = "", parameters: [String: String] = [:]) throws -> TemplateValue {
  let text = """
    \(sections)
    Resources:
      B: { Type: 'AWS::S3::Bucket' }
      R:
        Type: Test::Thing
        Properties:
          Value: \(expression)
    """
  let evaluator = try TemplateEvaluator(template: try Template.parse(text), parameters: parameters, context: context)
  guard let resource = evaluator.template.resource("R") else { throw TemplateError("no R") }
  let evaluated = try evaluator.evaluate(resource) { question in
    switch question {
    case .reference(let id): return .string("\(id)-physical")
    case .attribute(let id, "Arn"): return .string("arn:aws:s3:::\(id.lowercased())")
    case .attribute(_, "Endpoint.Port"): return .number("5432")
    case .attribute: return nil
    }
  }
  return evaluated.properties["Value"] ?? .null
}

/// The message of the error that a template gives.
func fault(_ body: () throws -> Void) -> String? {
  do {
    try body()
    return nil
  } catch {
    return (error as? TemplateError)?.message ?? "\(error)"
  }
}
