"""deploy.py FILE: puts a template through CreateStack, as anyone would, and prints its outputs."""

import sys

from castle import client, equal, say, stack_settled

cloudformation = client("cloudformation")
with open(sys.argv[1]) as file:
    cloudformation.create_stack(StackName="storefront", TemplateBody=file.read(), Capabilities=["CAPABILITY_NAMED_IAM"])
stack = stack_settled(cloudformation, "storefront", 180)
equal(stack["StackStatus"], "CREATE_COMPLETE", "the stack")
say(**{o["OutputKey"]: o["OutputValue"] for o in stack["Outputs"]})
