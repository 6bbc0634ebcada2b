namespace Forebay.Core;

/// <summary>Headers by which nodes and their mounts tell each other what S3 has no word for. Other clients and stores neither send nor need them.</summary>
public static class NodeHeaders
{
    /// <summary>Of a listing: <c>true</c> when the source has directories (<see cref="IUnderStore.HasDirectories"/>).</summary>
    public const string HasDirectories = "x-forebay-has-directories";
}
