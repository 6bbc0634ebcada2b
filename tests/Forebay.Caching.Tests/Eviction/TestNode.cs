using Forebay.Caching.Eviction;

namespace Forebay.Caching.Tests.Eviction;

/// <summary>A node that can be told to refuse.</summary>
internal sealed class TestNode(ulong keyHash, long sizeBytes) : EvictionNode(keyHash, sizeBytes)
{
    public bool Refuses { get; set; }

    public int Asked { get; private set; }

    public override bool CanEvict
    {
        get
        {
            Asked++;
            return !Refuses;
        }
    }
}
