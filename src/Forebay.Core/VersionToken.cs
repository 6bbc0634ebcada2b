namespace Forebay.Core;

/// <summary>
/// What an under-store calls one version of an object: its ETag (with quotes, as sent on the wire) or, where there is none,
/// size, modification time in ns and file id. Opaque; equal tokens of one key mean equal bytes.
/// </summary>
/// <param name="Value">The token; never null or empty in a valid token.</param>
public readonly record struct VersionToken(string Value)
{
    /// <inheritdoc/>
    public override string ToString() => Value;
}
