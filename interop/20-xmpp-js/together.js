// What several tests do: devices that are online for a while, and people who know each other.

// Runs `body` with the devices online.
export async function online(devices, body) {
  const up = [];
  try {
    for (const device of devices) up.push(await device.comeOnline());
    await body(...devices);
  } finally {
    for (const device of up) await device.goOffline();
  }
}

// For `Device.contact`.
export const withSubscription = (subscription) => (item) => item?.attrs.subscription === subscription;

// Both see each other's presence from now on: one asks, the other allows it and asks back.
export async function befriend(one, other) {
  await one.show({ to: other.bare, type: "subscribe" });
  await other.see(one.bare, "subscribe");
  await other.show({ to: one.bare, type: "subscribed" });
  await one.see(other.bare, "subscribed");
  await other.show({ to: one.bare, type: "subscribe" });
  await one.see(other.bare, "subscribe");
  await one.show({ to: other.bare, type: "subscribed" });
  await other.see(one.bare, "subscribed");
  await one.contact(other.bare, withSubscription("both"));
  await other.contact(one.bare, withSubscription("both"));
}
