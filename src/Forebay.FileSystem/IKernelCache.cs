using Forebay.Fuse;
using Microsoft.Win32.SafeHandles;

namespace Forebay.FileSystem;

/// <summary>What the file system asks of the kernel besides answering it.</summary>
internal interface IKernelCache
{
    /// <summary>Files can be handed to the kernel.</summary>
    bool HasPassthrough { get; }

    /// <summary>Hands a file to the kernel; 0 and an id, or an errno.</summary>
    int OpenBacking(SafeFileHandle file, out int backingId);

    /// <summary>Takes it back.</summary>
    void CloseBacking(int backingId);

    /// <summary>Drops a name. False when the kernel could not be told.</summary>
    bool DropName(ulong parent, ReadOnlySpan<byte> name);

    /// <summary>Drops attributes and, of a directory, its listing. False when the kernel could not be told.</summary>
    bool DropInode(ulong nodeId);

    /// <summary>Has every name looked up at its next use. False when the kernel cannot, or could not be told.</summary>
    bool ExpireAllNames();

    /// <summary>Waits until the kernel was told everything so far. False when it is told nothing any more.</summary>
    Task<bool> DrainAsync();
}

/// <summary>The kernel behind a session.</summary>
internal sealed class KernelCache(FuseDevice device, FuseNotifier notifier, FuseConnection connection) : IKernelCache
{
    /// <inheritdoc/>
    public bool HasPassthrough { get; } = connection.Has(FuseInitFlags.Passthrough) && connection.MaxStackDepth > 0;

    /// <inheritdoc/>
    public int OpenBacking(SafeFileHandle file, out int backingId) => device.OpenBacking(file, out backingId);

    /// <inheritdoc/>
    public void CloseBacking(int backingId) => device.CloseBacking(backingId);

    /// <inheritdoc/>
    public bool DropName(ulong parent, ReadOnlySpan<byte> name) => notifier.InvalidateEntry(parent, name);

    /// <inheritdoc/>
    public bool DropInode(ulong nodeId) => notifier.InvalidateInode(nodeId);

    /// <inheritdoc/>
    public bool ExpireAllNames() => notifier.IncrementEpoch();

    /// <inheritdoc/>
    public async Task<bool> DrainAsync()
    {
        await notifier.FlushAsync();
        return !notifier.HasEnded;
    }
}
