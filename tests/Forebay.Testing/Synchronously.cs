namespace Forebay.Testing;

/// <summary>For properties of FsCheck, which are synchronous: no synchronization context is there to dead-lock with.</summary>
public static class Synchronously
{
#pragma warning disable VSTHRD002
    /// <summary>Waits for an answer; fails as it does.</summary>
    public static T Await<T>(ValueTask<T> task) => task.AsTask().GetAwaiter().GetResult();
#pragma warning restore VSTHRD002
}
