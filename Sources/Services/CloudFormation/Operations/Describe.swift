// What stacks are: stacks, events, resources, templates, exports.

import AWSCore
import AWSWire
import CloudFormationModel
import ServiceKit
import Store
import Templates

extension CloudFormationService {
  /// Parameters as they may be shown.
  func shownParameters(_ input: StackInput) throws -> [CloudFormation.Parameter] {
    let values = try open(input)
    let hidden = Set(try parse(input.template).parameters.filter(\.noEcho).map(\.name))
    return values.sorted { $0.key < $1.key }.map { key, value in
      .make {
        $0.parameterKey = key
        $0.parameterValue = hidden.contains(key) ? "****" : value
      }
    }
  }

  func describeStacks(
    _ input: CloudFormation.DescribeStacksInput, _ call: CallContext
  ) async throws -> CloudFormation.DescribeStacksOutput {
    let scope = call.scope
    let stacks = try await store.read { snapshot in
      if let name = input.stackName, !name.isEmpty { return [try self.find(name, snapshot, scope)] }
      return try snapshot.list(StackRecord.self, scope).filter { !$0.isGone }.sorted { $0.created > $1.created }
    }
    return try .make { $0.stacks = try stacks.map { try answer($0) } }
  }

  private func answer(_ stack: StackRecord) throws -> CloudFormation.Stack {
    let parameters = try shownParameters(stack.input)
    return .make {
      $0.stackId = stack.id
      $0.stackName = stack.name
      $0.stackStatus = stack.status
      $0.stackStatusReason = stack.reason
      $0.description = stack.description
      $0.creationTime = stack.created
      $0.lastUpdatedTime = stack.updated
      $0.deletionTime = stack.deleted
      $0.changeSetId = stack.changeSet
      $0.parameters = parameters
      $0.capabilities = stack.input.capabilities
      $0.tags = stack.input.tags.cfn
      $0.disableRollback = stack.disablesRollback
      $0.enableTerminationProtection = stack.isProtected
      $0.notificationARNs = stack.notificationARNs
      $0.roleARN = stack.roleARN
      $0.timeoutInMinutes = stack.timeoutMinutes
      $0.rollbackConfiguration = .init()
      $0.driftInformation = .make { $0.stackDriftStatus = "NOT_CHECKED" }
      $0.outputs = stack.outputs.map { output in
        .make {
          $0.outputKey = output.name
          $0.outputValue = output.value
          $0.description = output.description
          $0.exportName = output.exportName
        }
      }
    }
  }

  func listStacks(
    _ input: CloudFormation.ListStacksInput, _ call: CallContext
  ) async throws -> CloudFormation.ListStacksOutput {
    let scope = call.scope
    let stacks = try await store.read { try $0.list(StackRecord.self, scope) }
    let wanted = Set(input.stackStatusFilter ?? [])
    return .make {
      $0.stackSummaries = stacks.filter { wanted.isEmpty || wanted.contains($0.status) }
        .sorted { $0.created > $1.created }.map { stack in
          .make {
            $0.stackId = stack.id
            $0.stackName = stack.name
            $0.stackStatus = stack.status
            $0.stackStatusReason = stack.reason
            $0.templateDescription = stack.description
            $0.creationTime = stack.created
            $0.lastUpdatedTime = stack.updated
            $0.deletionTime = stack.deleted
            $0.driftInformation = .make { $0.stackDriftStatus = "NOT_CHECKED" }
          }
        }
    }
  }

  /// At most so many events in an answer.
  private static let eventPage = 100

  func describeStackEvents(
    _ input: CloudFormation.DescribeStackEventsInput, _ call: CallContext
  ) async throws -> CloudFormation.DescribeStackEventsOutput {
    let scope = call.scope
    let events = try await store.read { snapshot in
      let stack = try self.find(input.stackName, snapshot, scope)
      return try snapshot.find(StackEventRecord.self, scope, index: "stack", stack.id).sorted { $0.id > $1.id }
    }
    let rest = input.nextToken.map { token in events.filter { $0.id < token } } ?? events
    let page = rest.prefix(Self.eventPage)
    return .make {
      $0.nextToken = rest.count > page.count ? page.last?.id : nil
      $0.stackEvents = page.map { event in
        .make {
          $0.eventId = event.id
          $0.stackId = event.stack
          $0.stackName = event.stackName
          $0.logicalResourceId = event.logicalID
          $0.physicalResourceId = event.physicalID
          $0.resourceType = event.type
          $0.resourceStatus = event.status
          $0.resourceStatusReason = event.reason
          $0.timestamp = event.time
          $0.clientRequestToken = event.token
        }
      }
    }
  }

  func describeStackResource(
    _ input: CloudFormation.DescribeStackResourceInput, _ call: CallContext
  ) async throws -> CloudFormation.DescribeStackResourceOutput {
    let stack = try await store.read { try self.find(input.stackName, $0, call.scope) }
    guard let resource = stack.resources[input.logicalResourceId] else {
      throw CFNError.validation("Resource \(input.logicalResourceId) does not exist for stack \(stack.name)")
    }
    return .make {
      $0.stackResourceDetail = .make {
        $0.stackId = stack.id
        $0.stackName = stack.name
        $0.logicalResourceId = resource.logicalID
        $0.physicalResourceId = resource.handle?.physicalID
        $0.resourceType = resource.type
        $0.resourceStatus = resource.status
        $0.resourceStatusReason = resource.reason
        $0.lastUpdatedTimestamp = resource.changed
        $0.metadata = resource.metadata
        $0.driftInformation = .make { $0.stackResourceDriftStatus = "NOT_CHECKED" }
      }
    }
  }

  func describeStackResources(
    _ input: CloudFormation.DescribeStackResourcesInput, _ call: CallContext
  ) async throws -> CloudFormation.DescribeStackResourcesOutput {
    let scope = call.scope
    let stack = try await store.read { snapshot in
      if let name = input.stackName { return try self.find(name, snapshot, scope) }
      guard let physical = input.physicalResourceId else {
        throw CFNError.validation("You must specify either StackName or PhysicalResourceId")
      }
      let owner = try snapshot.list(StackRecord.self, scope).first { stack in
        !stack.isGone && stack.resources.values.contains { $0.handle?.physicalID == physical }
      }
      guard let owner else { throw CFNError.validation("Stack for \(physical) does not exist") }
      return owner
    }
    let resources = stack.resources.values.sorted { $0.logicalID < $1.logicalID }.filter {
      input.logicalResourceId == nil || $0.logicalID == input.logicalResourceId
    }
    return .make {
      $0.stackResources = resources.map { resource in
        .make {
          $0.stackId = stack.id
          $0.stackName = stack.name
          $0.logicalResourceId = resource.logicalID
          $0.physicalResourceId = resource.handle?.physicalID
          $0.resourceType = resource.type
          $0.resourceStatus = resource.status
          $0.resourceStatusReason = resource.reason
          $0.timestamp = resource.changed
          $0.driftInformation = .make { $0.stackResourceDriftStatus = "NOT_CHECKED" }
        }
      }
    }
  }

  func listStackResources(
    _ input: CloudFormation.ListStackResourcesInput, _ call: CallContext
  ) async throws -> CloudFormation.ListStackResourcesOutput {
    let stack = try await store.read { try self.find(input.stackName, $0, call.scope) }
    return .make {
      $0.stackResourceSummaries = stack.resources.values.sorted { $0.logicalID < $1.logicalID }.map { resource in
        .make {
          $0.logicalResourceId = resource.logicalID
          $0.physicalResourceId = resource.handle?.physicalID
          $0.resourceType = resource.type
          $0.resourceStatus = resource.status
          $0.resourceStatusReason = resource.reason
          $0.lastUpdatedTimestamp = resource.changed
          $0.driftInformation = .make { $0.stackResourceDriftStatus = "NOT_CHECKED" }
        }
      }
    }
  }

  // MARK: - Templates

  func getTemplate(
    _ input: CloudFormation.GetTemplateInput, _ call: CallContext
  ) async throws -> CloudFormation.GetTemplateOutput {
    guard let name = input.stackName else { throw CFNError.validation("StackName is required") }
    let scope = call.scope
    let text = try await store.read { snapshot -> String in
      let stack = try self.find(name, snapshot, scope)
      guard let set = input.changeSetName else { return stack.input.template }
      let sets = try snapshot.find(ChangeSetRecord.self, scope, index: "stack", stack.id)
      guard let found = sets.first(where: { $0.name == set || $0.id == set }) else { throw CFNError.noChangeSet(set) }
      return found.input.template
    }
    return .make {
      $0.templateBody = text
      $0.stagesAvailable = ["Original", "Processed"]
    }
  }

  func validateTemplate(
    _ input: CloudFormation.ValidateTemplateInput, _ call: CallContext
  ) async throws -> CloudFormation.ValidateTemplateOutput {
    guard let text = try await templateText(input.templateBody, input.templateURL, call) else {
      throw CFNError.validation("Either Template URL or Template Body must be specified.")
    }
    let template = try parse(text)
    let needed = Capabilities.required(template)
    return .make {
      $0.description = template.description
      $0.capabilities = needed.map { [$0.capability] } ?? []
      $0.capabilitiesReason = needed.map {
        "The following resource(s) require capabilities: [\(Set($0.resources).sorted().joined(separator: ", "))]"
      }
      $0.declaredTransforms = []
      $0.parameters = template.parameters.map { parameter in
        .make {
          $0.parameterKey = parameter.name
          $0.defaultValue = parameter.defaultValue
          $0.noEcho = parameter.noEcho
          $0.description = parameter.description
        }
      }
    }
  }

  func getTemplateSummary(
    _ input: CloudFormation.GetTemplateSummaryInput, _ call: CallContext
  ) async throws -> CloudFormation.GetTemplateSummaryOutput {
    var text = try await templateText(input.templateBody, input.templateURL, call)
    if text == nil, let name = input.stackName {
      text = try await store.read { try self.find(name, $0, call.scope) }.input.template
    }
    guard let text else { throw CFNError.validation("Either StackName or Template must be specified.") }
    let template = try parse(text)
    let needed = Capabilities.required(template)
    return .make {
      $0.description = template.description
      $0.capabilities = needed.map { [$0.capability] } ?? []
      $0.resourceTypes = template.resources.map(\.type)
      $0.declaredTransforms = []
      $0.version = "2010-09-09"
      $0.metadata = template.metadata == nil ? nil : "{}"
      $0.parameters = template.parameters.map { parameter in
        .make {
          $0.parameterKey = parameter.name
          $0.parameterType = parameter.type
          $0.defaultValue = parameter.defaultValue
          $0.noEcho = parameter.noEcho
          $0.description = parameter.description
          $0.parameterConstraints = parameter.allowedValues.map { values in .make { $0.allowedValues = values } }
        }
      }
    }
  }

  // MARK: - Exports

  func listExports(
    _ input: CloudFormation.ListExportsInput, _ call: CallContext
  ) async throws -> CloudFormation.ListExportsOutput {
    let scope = call.scope
    let stacks = try await store.read { try $0.list(StackRecord.self, scope) }
    return .make {
      $0.exports = stacks.filter { !$0.isGone }.flatMap { stack in
        stack.outputs.compactMap { output -> CloudFormation.Export? in
          guard let name = output.exportName else { return nil }
          return .make {
            $0.name = name
            $0.value = output.value
            $0.exportingStackId = stack.id
          }
        }
      }.sorted { ($0.name ?? "") < ($1.name ?? "") }
    }
  }

  func listImports(
    _ input: CloudFormation.ListImportsInput, _ call: CallContext
  ) async throws -> CloudFormation.ListImportsOutput {
    let scope = call.scope
    let stacks = try await store.read { try $0.list(StackRecord.self, scope) }
    let names = stacks.filter { !$0.isGone && $0.imports.contains(input.exportName) }.map(\.name).sorted()
    if names.isEmpty { throw CFNError.validation("Export '\(input.exportName)' is not imported by any stack.") }
    return .make { $0.imports = names }
  }
}
