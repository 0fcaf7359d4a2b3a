"""Message classes for tests, made here without protoc: two files, one importing the other.

file orders/order.proto   message Order { int64 id = 1; string name = 2; base.Money price = 3; repeated int32 counts = 4;
                                          map<string, int32> stock = 5; optional double ratio = 6; Kind kind = 7;
                                          repeated string tags = 8; message Inner { string text = 1; } Inner inner = 9;
                                          google.protobuf.Timestamp at = 10; bytes raw = 11; sint32 delta = 12;
                                          oneof choice { string left = 13; fixed64 right = 14; } bool flag = 15;
                                          repeated Inner inners = 16; float half = 17; }
                          message Other { int32 n = 1; }
"""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, timestamp_pb2

F = descriptor_pb2.FieldDescriptorProto
POOL = descriptor_pool.DescriptorPool()


def _field(message: Any, number: int, name: str, kind: int, type_name: str = "", repeated: bool = False) -> Any:
    label = F.LABEL_REPEATED if repeated else F.LABEL_OPTIONAL
    return message.field.add(name=name, number=number, type=kind, label=label, type_name=type_name or None)


def _files() -> None:
    base = descriptor_pb2.FileDescriptorProto(name="base/money.proto", package="base", syntax="proto3")
    money = base.message_type.add(name="Money")
    _field(money, 1, "units", F.TYPE_INT64)
    _field(money, 2, "currency", F.TYPE_STRING)

    file = descriptor_pb2.FileDescriptorProto(name="orders/order.proto", package="orders", syntax="proto3")
    file.dependency.extend(["base/money.proto", "google/protobuf/timestamp.proto"])
    order = file.message_type.add(name="Order")
    _field(order, 1, "id", F.TYPE_INT64)
    _field(order, 2, "name", F.TYPE_STRING)
    _field(order, 3, "price", F.TYPE_MESSAGE, ".base.Money")
    _field(order, 4, "counts", F.TYPE_INT32, repeated=True)
    _field(order, 5, "stock", F.TYPE_MESSAGE, ".orders.Order.StockEntry", repeated=True)
    _field(order, 6, "ratio", F.TYPE_DOUBLE).proto3_optional = True
    _field(order, 7, "kind", F.TYPE_ENUM, ".orders.Kind")
    _field(order, 8, "tags", F.TYPE_STRING, repeated=True)
    _field(order, 9, "inner", F.TYPE_MESSAGE, ".orders.Order.Inner")
    _field(order, 10, "at", F.TYPE_MESSAGE, ".google.protobuf.Timestamp")
    _field(order, 11, "raw", F.TYPE_BYTES)
    _field(order, 12, "delta", F.TYPE_SINT32)
    _field(order, 13, "left", F.TYPE_STRING).oneof_index = 0
    _field(order, 14, "right", F.TYPE_FIXED64).oneof_index = 0
    _field(order, 15, "flag", F.TYPE_BOOL)
    _field(order, 16, "inners", F.TYPE_MESSAGE, ".orders.Order.Inner", repeated=True)
    _field(order, 17, "half", F.TYPE_FLOAT)
    order.oneof_decl.add(name="choice")
    order.oneof_decl.add(name="_ratio")
    order.field[5].oneof_index = 1
    entry = order.nested_type.add(name="StockEntry")
    entry.options.map_entry = True
    _field(entry, 1, "key", F.TYPE_STRING)
    _field(entry, 2, "value", F.TYPE_INT32)
    _field(order.nested_type.add(name="Inner"), 1, "text", F.TYPE_STRING)
    _field(file.message_type.add(name="Other"), 1, "n", F.TYPE_INT32)
    kind = file.enum_type.add(name="Kind")
    for number, name in enumerate(("NONE", "NEW", "DONE")):
        kind.value.add(name=name, number=number)
    POOL.AddSerializedFile(timestamp_pb2.DESCRIPTOR.serialized_pb)
    POOL.Add(base)
    POOL.Add(file)


_files()
Order: Any = message_factory.GetMessageClass(POOL.FindMessageTypeByName("orders.Order"))
Other: Any = message_factory.GetMessageClass(POOL.FindMessageTypeByName("orders.Other"))
Inner: Any = message_factory.GetMessageClass(POOL.FindMessageTypeByName("orders.Order.Inner"))
Money: Any = message_factory.GetMessageClass(POOL.FindMessageTypeByName("base.Money"))
