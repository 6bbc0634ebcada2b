using Forebay.Core;
using Forebay.Engine;

namespace Forebay.FileSystem;

/// <summary>Decides whether files are asked for their headers: sources whose objects carry no modes and owners are spared the questions. Thread-safe.</summary>
internal sealed class AttributeRule(ObjectAttributes rule)
{
    /// <summary>Files whose headers decide.</summary>
    internal const int Samples = 16;

    private int _seen;
    private volatile bool _found = rule == ObjectAttributes.Always;

    /// <summary>What to ask for when a name is looked up.</summary>
    internal NameDetail Lookup => rule == ObjectAttributes.Ignore ? NameDetail.Listed
        : _found || IsLearning ? NameDetail.Headers
        : NameDetail.HeadersIfAsked;

    /// <summary>True until enough headers were seen to know.</summary>
    internal bool IsLearning => rule == ObjectAttributes.Auto && !_found && Volatile.Read(ref _seen) < Samples;

    /// <summary>True when a listing cannot tell what a file shows.</summary>
    internal bool ListingsLack => _found && rule != ObjectAttributes.Ignore;

    /// <summary>Attributes and kind of an object; takes note of what its headers say.</summary>
    internal InodeAttributes Read(ObjectStat stat, out InodeKind kind)
    {
        InodeAttributes attributes = ObjectAttributeReader.Read(stat, rule, out kind);
        if (attributes.AreFromHeaders && !_found)
        {
            Interlocked.Increment(ref _seen);
            _found = attributes.Mode != InodeAttributes.Unknown || attributes.Uid != InodeAttributes.Unknown || attributes.Gid != InodeAttributes.Unknown;
        }

        return attributes;
    }
}
