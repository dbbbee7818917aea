"""Checks the sandbox's EC2 with a client that shares no code with it: python boto3_check.py ENDPOINT_URL."""

import sys
import time

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

IMAGE = "ami-0123456789abcdef0"
passed = failed = 0


def check(fact, holds, shown=""):
    global passed, failed
    passed, failed = (passed + 1, failed) if holds else (passed, failed + 1)
    print(f"{'ok  ' if holds else 'FAIL'} {fact}{f'  [{shown}]' if shown else ''}", flush=True)


def refused(fact, code, operation, **arguments):
    try:
        operation(**arguments)
        check(fact, False, "was allowed")
    except ClientError as error:
        found = error.response["Error"]
        check(fact, found["Code"] == code, f"{found['Code']}: {found['Message']}")


def poll(read, until, timeout_sec=30):
    """Every value that `read` gave, without repetitions, until one is `until`."""
    seen = []
    deadline = time.monotonic() + timeout_sec
    while time.monotonic() < deadline:
        value = read()
        if not seen or seen[-1] != value:
            seen.append(value)
        if value == until:
            break
        time.sleep(0.1)
    return seen


def main(endpoint):
    ec2 = boto3.client(
        "ec2",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="boto3-check",
        aws_secret_access_key="not-a-secret",
        config=Config(retries={"total_max_attempts": 1}),
    )

    vpc = ec2.create_vpc(
        CidrBlock="10.9.0.0/16",
        TagSpecifications=[{"ResourceType": "vpc", "Tags": [{"Key": "Name", "Value": "boto3 & <co>"}]}],
    )["Vpc"]
    check("creates a VPC, with its tags", vpc["Tags"] == [{"Key": "Name", "Value": "boto3 & <co>"}])

    def subnet(zone, cidr):
        created = ec2.create_subnet(VpcId=vpc["VpcId"], CidrBlock=cidr, AvailabilityZone=zone)
        return created["Subnet"]["SubnetId"]

    here, there = subnet("us-east-1a", "10.9.1.0/24"), subnet("us-east-1b", "10.9.2.0/24")
    group = ec2.create_security_group(GroupName="db", Description="database", VpcId=vpc["VpcId"])["GroupId"]

    def launch(subnet_id, instance_type):
        launched = ec2.run_instances(
            ImageId=IMAGE, InstanceType=instance_type, MinCount=1, MaxCount=1, SubnetId=subnet_id
        )
        return launched["Instances"][0]["InstanceId"]

    holder, small, foreign = launch(here, "m5.large"), launch(here, "t3.micro"), launch(there, "m5.large")
    ids = [holder, small, foreign]

    def states():
        found = ec2.describe_instances(InstanceIds=ids)
        return {i["State"]["Name"] for r in found["Reservations"] for i in r["Instances"]}

    seen = poll(states, {"running"})
    check("brings instances from pending to running", seen[0] == {"pending"} and seen[-1] == {"running"}, seen)
    seen = poll(
        lambda: {s["SystemStatus"]["Status"] for s in ec2.describe_instance_status(InstanceIds=ids)["InstanceStatuses"]},
        {"ok"},
    )
    check("reports status checks that come to be ok", seen[-1] == {"ok"}, seen)

    def interface(**more):
        created = ec2.create_network_interface(SubnetId=here, Groups=[group], **more)
        return created["NetworkInterface"]["NetworkInterfaceId"]

    eni = interface(
        Description="service",
        SecondaryPrivateIpAddressCount=1,
        TagSpecifications=[
            {"ResourceType": "network-interface", "Tags": [{"Key": "service", "Value": "orders-db"}]}
        ],
    )

    def look(eni_id):
        return ec2.describe_network_interfaces(NetworkInterfaceIds=[eni_id])["NetworkInterfaces"][0]

    identity = {key: look(eni)[key] for key in ("MacAddress", "PrivateIpAddresses", "Groups", "TagSet")}

    def attach(eni_id, instance, index=1):
        return ec2.attach_network_interface(
            NetworkInterfaceId=eni_id, InstanceId=instance, DeviceIndex=index
        )["AttachmentId"]

    attachment = attach(eni, holder)
    seen = poll(lambda: look(eni)["Attachment"]["Status"], "attached")
    check("shows attaching before attached", seen == ["attaching", "attached"], seen)

    refused(
        "refuses to attach an interface in use",
        "InvalidNetworkInterface.InUse",
        attach, eni_id=eni, instance=small,
    )  # fmt: skip
    refused(
        "refuses to attach across Availability Zones",
        "InvalidParameterCombination",
        attach, eni_id=interface(), instance=foreign,
    )  # fmt: skip
    described = ec2.describe_instances(InstanceIds=[holder])["Reservations"][0]["Instances"][0]
    primary = next(n for n in described["NetworkInterfaces"] if n["Attachment"]["DeviceIndex"] == 0)
    refused(
        "refuses to detach device index 0",
        "OperationNotPermitted",
        ec2.detach_network_interface, AttachmentId=primary["Attachment"]["AttachmentId"],
    )  # fmt: skip
    refused(
        "refuses to attach at a taken index",
        "InvalidParameterValue",
        attach, eni_id=interface(), instance=holder,
    )  # fmt: skip
    attach(interface(), small, 1)
    refused(
        "refuses more interfaces than the type holds",
        "AttachmentLimitExceeded",
        attach, eni_id=interface(), instance=small, index=2,
    )  # fmt: skip
    refused(
        "answers a dry run with an error that says it would have worked",
        "DryRunOperation",
        ec2.detach_network_interface, AttachmentId=attachment, DryRun=True,
    )  # fmt: skip
    refused(
        "fails a whole call for one unknown id",
        "InvalidInstanceID.NotFound",
        ec2.describe_instance_status, InstanceIds=[holder, "i-00000000000000000"],
    )  # fmt: skip
    refused(
        "refuses a filter that it does not know",
        "InvalidParameterValue",
        ec2.describe_network_interfaces, Filters=[{"Name": "no-such-filter", "Values": ["x"]}],
    )  # fmt: skip

    def word():
        shown = look(eni)
        return f"{shown['Status']}/{shown.get('Attachment', {}).get('Status', '-')}"

    ec2.detach_network_interface(AttachmentId=attachment)
    seen = poll(word, "available/-")
    check("shows detaching before available", seen == ["in-use/detaching", "available/-"], seen)
    kept = {key: look(eni)[key] for key in identity}
    check("keeps MAC, addresses, groups and tags of a moved interface", kept == identity)

    tagged = ec2.get_paginator("describe_network_interfaces").paginate(
        Filters=[
            {"Name": "tag:service", "Values": ["orders-*"]},
            {"Name": "vpc-id", "Values": [vpc["VpcId"]]},
        ],
        PaginationConfig={"PageSize": 5},
    )
    found = [n["NetworkInterfaceId"] for page in tagged for n in page["NetworkInterfaces"]]
    check("finds interfaces by tag, with wildcards, page by page", found == [eni], found)
    network = ec2.describe_instance_types(InstanceTypes=["t3.micro"])["InstanceTypes"][0]["NetworkInfo"]
    check("knows the limits of instance types", network["MaximumNetworkInterfaces"] == 2)

    ec2.terminate_instances(InstanceIds=ids)
    seen = poll(states, {"terminated"})
    check("terminates instances", seen[-1] == {"terminated"}, seen)
    check("leaves the service's interface when its instance is gone", word() == "available/-")


try:
    main(sys.argv[1])
except Exception as error:  # the count must be the last line, whatever happens
    check(f"runs to its end: {type(error).__name__}: {error}", False)
print(f"{passed} passed, {failed} failed")
sys.exit(1 if failed else 0)
